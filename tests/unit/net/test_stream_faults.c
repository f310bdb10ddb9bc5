/*
 * stream_faults: attacks of a hostile peer on a stream; the loop must be idle afterwards.
 */
#include "net/stream.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "calls.h"
#include "hand.h"
#include "support/fault_peer.h"

TestSuite(stream_faults, .init = world_begin, .fini = world_finish, .timeout = 300);

static struct str
bytes_of_junk(int kind)
{
	static const char zeros[100];

	return kind ? STR("\x16\x03\x01\0\x10text, no message") : str_make(zeros, 100);
}

/* H1: the answer to the ClientHello is junk, and the connection is reset before it was read. */
Test(stream_faults, junk_and_a_reset_for_a_client_hello)
{
	for (int kind = 0; kind < 2; kind++) {
		struct str junk = bytes_of_junk(kind);
		struct pair p;

		pair_init_tcp(&p);
		stream_start_tls_client(p.b.stream, w.lax, "mail.example.com");
		cr_assert(write(p.a.fd, junk.p, junk.n) == (ssize_t)junk.n);
		side_reset(&p.a);
		cr_assert(pair_until(&p, &p.b.ended, 1), "kind %d: the end is not reported", kind);
		cr_assert(pair_is_quiet(&p), "kind %d: the loop goes on turning", kind);
		cr_assert(p.b.ended == 1);
		cr_assert(p.b.why == STREAM_TLS_FAILED || p.b.why == STREAM_ERROR);
		cr_assert(*p.b.text, "kind %d", kind);
		pair_clear(&p);
	}
}

/* ---- every point of the session and every action ---- */

enum {
	END_TIMEOUT_MS = 30,         /* when nothing else ends the connection */
	LONG_TIMEOUT_MS = 20000, /* when something else must end it */
	STEP_TLS = 2,
	STEP_DATA = 3,
};

/* Acts as relay (client) or submission (server) do: one deadline for each step, not extended by
 * received bytes; a server sends a last reply when it passes. */
struct owner {
	struct stream *stream;
	bool is_server;
	int step;
	int timeout_ms;
	size_t got; /* bytes of data */
	unsigned ended;
	enum stream_end why;
	char text[200];
};

static void
owner_send(struct owner *o, const char *text)
{
	o->step++;
	stream_deadline(o->stream, clock_mono_ms() + o->timeout_ms);
	stream_write(o->stream, str_of(text));
	stream_flush(o->stream);
}

static void
owner_finish(struct owner *o, const char *text)
{
	stream_write(o->stream, str_of(text));
	stream_finish(o->stream, END_TIMEOUT_MS);
}

static void
client_receives(struct owner *o)
{
	static const char *const texts[] = {"EHLO\r\n", "STARTTLS\r\n", ""};

	if (o->step == STEP_DATA) {
		owner_finish(o, "QUIT\r\n");
		return;
	}
	owner_send(o, texts[o->step]);
	if (o->step == STEP_TLS + 1)
		stream_start_tls_client(o->stream, w.lax, "mail.example.com");
}

static void
server_receives(struct owner *o)
{
	static const char *const texts[] = {"250 ok\r\n", "220 go\r\n"};

	if (o->step == STEP_DATA) {
		owner_finish(o, "221 bye\r\n");
		return;
	}
	owner_send(o, texts[o->step]);
	if (o->step == STEP_TLS)
		stream_start_tls_server(o->stream, w.server);
}

static void
owner_readable(struct stream *s, void *arg)
{
	struct owner *o = arg;
	struct str in = stream_input(s);
	size_t n;

	if (o->is_server && o->step == STEP_TLS) {
		o->got += in.n;
		stream_drop(s, in.n);
		if (o->got >= FAULT_DATA_BYTES + 3)
			owner_send(o, "250 taken\r\n");
		return;
	}
	while ((n = str_find(in, '\n')) < in.n) {
		bool is_last = n < 4 || in.p[3] != '-';

		stream_drop(s, n + 1);
		if (is_last && o->is_server)
			server_receives(o);
		else if (is_last)
			client_receives(o);
		in = stream_input(s);
	}
}

static void
owner_secured(struct stream *s, void *arg)
{
	static char data[FAULT_DATA_BYTES + 4];
	struct owner *o = arg;

	if (o->is_server)
		return;
	memset(data, 'x', FAULT_DATA_BYTES);
	memcpy(data + FAULT_DATA_BYTES, ".\r\n", 4);
	stream_deadline(s, clock_mono_ms() + o->timeout_ms);
	stream_write(s, str_of(data));
	stream_flush(s);
}

static void
owner_expired(struct stream *s, void *arg)
{
	(void)s;
	owner_finish(arg, "421 too slow\r\n");
}

static void
owner_ended(struct stream *s, enum stream_end why, void *arg)
{
	struct owner *o = arg;

	o->ended++;
	o->why = why;
	snprintf(o->text, sizeof o->text, "%s", stream_error_text(s));
}

static const struct stream_events client_events = {
    .readable = owner_readable, .secured = owner_secured, .ended = owner_ended};
static const struct stream_events server_events = {.readable = owner_readable,
    .secured = owner_secured,
    .expired = owner_expired,
    .ended = owner_ended};

static bool
needs_end_timeout(enum fault_act act)
{
	return act == FAULT_HALF_RECORD || act == FAULT_JUNK || act == FAULT_SILENCE ||
	       act == FAULT_DRIBBLE || act == FAULT_FLOOD;
}

/* The reasons that are plausible, one bit each. */
static unsigned
sensible_ends(const struct fault_peer *peer)
{
	enum { EOF_ = 1 << STREAM_EOF, CUT = 1 << STREAM_TRUNCATED, ERROR = 1 << STREAM_ERROR };
	enum { TLS = 1 << STREAM_TLS_FAILED, EXPIRED = 1 << STREAM_EXPIRED };
	bool is_plain = peer->at < FAULT_AT_STARTTLS ||
	                (peer->at == FAULT_AT_STARTTLS && peer->is_server);
	bool is_quitting = peer->at == FAULT_AT_QUIT || peer->at == FAULT_AFTER_DOT;
	unsigned tls = is_plain ? 0 : TLS;

	switch (peer->act) {
	case FAULT_CLOSE:
		return ERROR | tls | (is_plain || is_quitting ? EOF_ : 0) | (is_plain ? 0 : CUT);
	case FAULT_RESET:
		return ERROR | tls;
	case FAULT_JUNK_RESET:
		return ERROR | tls;
	case FAULT_ALERT:
		return ERROR | tls | (is_plain || is_quitting ? EOF_ : 0) | (is_plain ? 0 : CUT);
	case FAULT_HALF_CLOSE:
		return EOF_ | tls | (is_plain ? 0 : CUT) | (is_quitting ? EXPIRED : 0);
	case FAULT_SILENCE:
		return EXPIRED;
	default:
		return EXPIRED | tls;
	}
}

static unsigned
open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void
play(struct pair *p, struct fault_peer *peer, struct owner *o)
{
	struct calls before = calls;
	char what[100];

	snprintf(what, sizeof what, "%s %s", fault_act_names[peer->act],
	    fault_point_names[peer->at]);
	fault_peer_begin(peer);
	if (o->is_server)
		owner_send(o, "220 hi\r\n");
	o->step = 0;
	stream_deadline(o->stream, clock_mono_ms() + o->timeout_ms);
	stream_read(o->stream, true);
	cr_assert(pair_until(p, &o->ended, 1), "%s: no end", what);
	cr_assert(sensible_ends(peer) >> o->why & 1, "%s: end %d %s", what, o->why, o->text);
	cr_assert(pair_is_quiet(p), "%s: the loop goes on turning", what);
	cr_assert(o->ended == 1, "%s", what);
	cr_assert(calls.turns - before.turns <
	              500 + 4 * (calls.recv - before.recv + calls.send - before.send),
	    "%s: %u turns", what, calls.turns - before.turns);
	cr_assert(calls.recv - before.recv < 20000, "%s", what);
	fault_peer_end(peer);
}

static void
play_all(bool owner_is_server)
{
	unsigned descriptors;
	struct fault_peer peer = {
	    .is_server = !owner_is_server, .credentials = world_credentials()};

	for (int i = 0; i < FAULT_POINTS * FAULT_ACTS; i++) {
		struct owner o = {.is_server = owner_is_server};
		struct pair p = {0};
		int fds[2];

		descriptors = open_descriptors();
		peer.at = (enum fault_point)(i / FAULT_ACTS);
		peer.act = (enum fault_act)(i % FAULT_ACTS);
		o.timeout_ms = needs_end_timeout(peer.act) ? END_TIMEOUT_MS : LONG_TIMEOUT_MS;
		tcp_pair(fds);
		peer.fd = fds[0];
		p.a.fd = -1;
		p.base = pair_base_new();
		o.stream = stream_new(p.base, fds[1],
		    owner_is_server ? &server_events : &client_events, &o);
		play(&p, &peer, &o);
		stream_free(&o.stream);
		pair_clear(&p);
		cr_assert(open_descriptors() == descriptors, "a descriptor is left open");
	}
	gnutls_certificate_free_credentials(peer.credentials);
}

Test(stream_faults, a_hostile_server_at_each_point)
{
	play_all(false);
}

Test(stream_faults, a_hostile_client_at_each_point)
{
	play_all(true);
}

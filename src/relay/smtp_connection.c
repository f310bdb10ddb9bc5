/*
 * smtp_connection: carries bytes between the stream and the client.  Time-outs are absolute: a
 * deadline is set once for each turn of the talk and not moved by bytes that trickle in.
 */
#include "relay/smtp_connection.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "policy/timeouts.h"
#include "relay/reason.h"

enum { QUIT_LINGER_MS = 2000 };

static const struct conf_route *
route(const struct visit *s)
{
	return s->found->site.route;
}

/* ---- after each step of the talk ---- */

static void
push(struct visit *s)
{
	struct buf *out = client_output(s->client);

	if (out->n == 0)
		return;
	stream_write(s->stream, buf_str(out));
	buf_reset(out);
	stream_flush(s->stream);
}

/* The content has an end of its own, however fast each of its blocks is taken. */
static int64_t
content_until_ms(struct visit *s, int64_t now_ms)
{
	uint64_t bytes = client_content_bytes(s->client);

	if (!client_has_more(s->client))
		s->content_until_ms = INT64_MAX;
	else if (s->content_until_ms == INT64_MAX)
		s->content_until_ms =
		    now_ms + clock_patience(patience_content_ms(s->found->conf, bytes));
	return s->content_until_ms;
}

static void
arm(struct visit *s)
{
	int64_t now_ms = clock_mono_ms(), until_ms = content_until_ms(s, now_ms);

	if (s->armed == client_turn(s->client))
		return;
	s->armed = client_turn(s->client);
	if (until_ms > now_ms + client_patience_ms(s->client))
		until_ms = now_ms + client_patience_ms(s->client);
	stream_deadline(s->stream, until_ms);
}

static void
begin_tls(struct visit *s)
{
	s->state = VISIT_SECURING;
	/* RFC 3207: what came in clear behind the 220 is nobody's */
	stream_drop(s->stream, stream_input(s->stream).n);
	stream_deadline(s->stream, clock_mono_ms() + s->found->conf->timeouts.ehlo_ms);
	stream_start_tls_client(s->stream, s->tls, s->host);
}

/* Tells the stream what the talk wants; returns how the step ended. */
static enum client_step
follow(struct visit *s, enum client_step step)
{
	push(s);
	while (step == CLIENT_WAIT && client_has_more(s->client) &&
	       !client_awaits_content(s->client) &&
	       stream_waiting(s->stream) < OUTGOING_BLOCK_BYTES) {
		step = client_fill(s->client);
		push(s);
	}
	if (step == CLIENT_SECURE)
		begin_tls(s);
	else if (step == CLIENT_WAIT)
		arm(s);
	else if (step == CLIENT_READY)
		stream_deadline(s->stream, 0);
	return step;
}

static void
go_on(struct visit *s, enum client_step step)
{
	step = follow(s, step);
	if (step == CLIENT_READY)
		s->events->ready(s, s->arg);
	else if (step == CLIENT_OVER)
		s->events->over(s, s->arg);
}

/* ---- what the stream tells ---- */

static void
on_readable(struct stream *stream, void *arg)
{
	struct visit *s = arg;
	enum client_step step;
	size_t used;

	if (s->state == VISIT_QUITTING) {
		stream_drop(stream, stream_input(stream).n);
		return;
	}
	step = client_take(s->client, stream_input(stream), &used);
	stream_drop(stream, used);
	go_on(s, step);
}

static void
on_connected(struct stream *stream, void *arg)
{
	struct visit *s = arg;
	uint16_t port;

	s->state = VISIT_TALKING;
	stream_local(stream, s->source, &port);
	if (s->level == CLIENT_TLS_STANDS) {
		begin_tls(s);
		return;
	}
	arm(s);
	stream_read(stream, true);
}

static void
on_secured(struct stream *stream, void *arg)
{
	struct visit *s = arg;

	s->state = VISIT_TALKING;
	s->is_secure = true;
	stream_read(stream, true);
	go_on(s, client_secured(s->client, stream_tls_is_verified(stream)));
}

static void
on_drained(struct stream *stream, void *arg)
{
	struct visit *s = arg;

	(void)stream;
	if (s->state != VISIT_QUITTING && client_has_more(s->client) &&
	    !client_awaits_content(s->client))
		go_on(s, client_fill(s->client));
}

void
visit_content(struct visit *s)
{
	if (s->state == VISIT_TALKING && client_awaits_content(s->client))
		go_on(s, client_fill(s->client));
}

/* What this machine lacks is not the host's fault: it must not count against the host. */
static bool
visit_is_own_lack(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == EADDRNOTAVAIL;
}

static enum client_step
connect_failed(struct visit *s, enum stream_end why)
{
	const char *reason = why == STREAM_EXPIRED ? REASON_TIMEOUT : REASON_CONNECT;
	struct status status =
	    status_make(451, "4.4.1", "connection to %s[%s]:%u failed: %s", s->host, s->address,
	        s->port, why == STREAM_EXPIRED ? "timed out" : stream_error_text(s->stream));

	if (why == STREAM_ERROR && visit_is_own_lack(stream_error(s->stream)))
		reason = REASON_LOCAL;
	return client_lost(s->client, &status, reason);
}

static enum client_step
handshake_failed(struct visit *s)
{
	struct status status = status_make(451, "4.7.5", "TLS with %s[%s] failed: %s", s->host,
	    s->address, stream_error_text(s->stream));

	s->tls_failed = true;
	return client_lost(s->client, &status, REASON_TLS);
}

static enum client_step
connection_lost(struct visit *s)
{
	struct status status = status_make(451, "4.4.2", "connection to %s[%s] lost (%s)", s->host,
	    s->address, client_phase(s->client));

	return client_lost(s->client, &status, REASON_LOST);
}

static void
on_ended(struct stream *stream, enum stream_end why, void *arg)
{
	struct visit *s = arg;

	(void)stream;
	switch (s->state) {
	case VISIT_CONNECTING:
		connect_failed(s, why);
		break;
	case VISIT_SECURING:
		handshake_failed(s);
		break;
	case VISIT_TALKING:
		if (why == STREAM_EXPIRED)
			client_expired(s->client);
		else
			connection_lost(s);
		break;
	case VISIT_QUITTING:
		break;
	}
	s->events->over(s, s->arg);
}

static const struct stream_events stream_events = {.readable = on_readable,
    .connected = on_connected,
    .secured = on_secured,
    .drained = on_drained,
    .ended = on_ended};

/* ---- life ---- */

static struct client_options
options_of(const struct visit *s, bool without_chunking)
{
	const struct conf *c = s->found->conf;

	return (struct client_options){
	    .hostname = c->hostname,
	    .is_lmtp = route(s)->via == VIA_LMTP,
	    .must_be_other = route(s)->via == VIA_MX,
	    .without_chunking = without_chunking,
	    .tls = s->level,
	    .username = route(s)->username,
	    .password = route(s)->password,
	    .patience = {c->timeouts.greeting_ms, c->timeouts.ehlo_ms, c->timeouts.mail_ms,
	        c->timeouts.rcpt_ms, c->timeouts.data_ms, c->timeouts.body_ms,
	        c->timeouts.final_ms},
	};
}

struct visit *
visit_open(const struct visit_options *o)
{
	struct stream_ends ends = {0};
	struct visit *s = MEM_NEW(struct visit);
	struct client_options options;

	s->base = o->base;
	s->content_until_ms = INT64_MAX;
	s->found = found_keep(o->found);
	s->tls = tls_client_keep(o->tls);
	s->level = o->level;
	s->events = o->events;
	s->arg = o->arg;
	snprintf(s->host, sizeof s->host, "%s", o->host);
	endpoint_text(&o->address->sa, s->address, &s->port);
	options = options_of(s, o->without_chunking);
	s->client = client_new(&options);
	ends.to = (const struct sockaddr *)&o->address->sa;
	ends.to_len = o->address->len;
	s->stream = stream_connect(o->base, &ends, &stream_events, s);
	stream_deadline(s->stream, clock_mono_ms() + s->found->conf->timeouts.connect_ms);
	return s;
}

void
visit_own(struct visit *s, const struct visit_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

enum client_step
visit_send(struct visit *s, struct outgoing *message)
{
	s->messages++;
	return follow(s, client_send(s->client, message));
}

void
visit_quit(struct visit *s)
{
	client_quit(s->client);
	s->state = VISIT_QUITTING;
	stream_deadline(s->stream, 0);
	push(s);
	stream_finish(s->stream, QUIT_LINGER_MS);
}

void
visit_free(struct visit **p)
{
	struct visit *s = *p;

	if (!s)
		return;
	*p = NULL;
	stream_free(&s->stream);
	client_free(&s->client);
	tls_client_drop(&s->tls);
	found_drop(&s->found);
	mem_free(s);
}

/* TLS stands, it was not begun, its handshake did not end well. */
#define VISIT_TLS_WORDS(level) {level, level ":not_begun", level ":handshake"}

const char *
visit_tls(const struct visit *s)
{
	static const char *const words[][3] = {
	    [ROUTE_TLS_OPPORTUNISTIC] = VISIT_TLS_WORDS("opportunistic"),
	    [ROUTE_TLS_NONE] = {"none", "none", "none"},
	    [ROUTE_TLS_ENCRYPT] = VISIT_TLS_WORDS("encrypt"),
	    [ROUTE_TLS_VERIFY] = VISIT_TLS_WORDS("verify"),
	    [ROUTE_TLS_IMPLICIT] = VISIT_TLS_WORDS("verify"),
	    [ROUTE_TLS_STARTTLS] = VISIT_TLS_WORDS("verify"),
	};

	if (s->is_secure)
		return words[route(s)->tls][0];
	if (s->state == VISIT_SECURING)
		return words[route(s)->tls][2];
	/* in clear: as the route says, after TLS failed, or because the host has none */
	return s->level == CLIENT_TLS_NEVER || s->messages ? "none" : words[route(s)->tls][1];
}

/*
 * stream: the calls of the owner, except for writing (stream_output).  None of them calls back; see
 * stream_loop for the handling of events.
 */
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/endpoint.h"
#include "net/stream_internal.h"

/* ---- creation and end ---- */

static struct stream *
stream_make(struct event_base *base, int fd, const struct stream_events *events, void *arg)
{
	struct stream *s = MEM_NEW(struct stream);

	s->events = events;
	s->arg = arg;
	s->fd = fd;
	s->text = "";
	buf_init(&s->input, STREAM_INPUT_CAP);
	buf_init(&s->written, STREAM_OUTPUT_MAX);
	buf_init(&s->output, STREAM_OUTPUT_CAP);
	stream_loop_init(s, base);
	return s;
}

struct stream *
stream_new(struct event_base *base, int fd, const struct stream_events *events, void *arg)
{
	struct stream *s = stream_make(base, fd, events, arg);

	stream_enter(s, STREAM_OPEN);
	return s;
}

struct stream *
stream_connect(struct event_base *base, const struct stream_addresses *ends,
    const struct stream_events *events, void *arg)
{
	int fd = socket(ends->to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? errno : 0;
	struct stream *s = stream_make(base, fd, events, arg);
	int on = 1;

	stream_enter(s, STREAM_CONNECTING);
	if (!error)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!error && ends->source && bind(fd, ends->source, ends->source_len) != 0)
		error = errno;
	if (!error && connect(fd, ends->to, ends->to_len) != 0 && errno != EINPROGRESS)
		error = errno;
	if (error)
		stream_end_errno(s, error);
	else
		stream_block(s);
	return s;
}

void
stream_free(struct stream **s)
{
	struct stream *freed = *s;
	bool is_busy;

	*s = NULL;
	if (!freed || freed->life == LIFE_FREED)
		return;
	is_busy = freed->life == LIFE_BUSY;
	freed->life = LIFE_FREED;
	event_del(&freed->read_event);
	event_del(&freed->write_event);
	event_del(&freed->timer_event);
	event_del(&freed->wake_event);
	if (freed->fd >= 0)
		close(freed->fd);
	if (!is_busy)
		stream_destroy(freed);
}

/* ---- input ---- */

struct str
stream_input(const struct stream *s)
{
	return str_make(s->input.p ? s->input.p + s->input_at : "", stream_unread(s));
}

static void
stream_discard_input(struct stream *s)
{
	buf_clear(&s->input);
	s->input_at = 0;
}

void
stream_drop(struct stream *s, size_t n)
{
	s->input_at += n < stream_unread(s) ? n : stream_unread(s);
	if (s->input_at == s->input.n)
		stream_discard_input(s);
	stream_wake(s);
	stream_arm(s);
}

void
stream_read(struct stream *s, bool on)
{
	s->wants_input = on;
	stream_wake(s);
	stream_arm(s);
}

bool
stream_has_unseen(struct stream *s)
{
	char c;

	if ((s->facts & FACT_INPUT) || (s->tls_session && tls_session_has_input(s->tls_session)))
		return true;
	return recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool
stream_is_quiet(struct stream *s)
{
	char c;

	return s->facts == 0 && stream_unread(s) == 0 && !stream_has_unseen(s) &&
	       recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* ---- the end ---- */

void
stream_finish(struct stream *s, int64_t linger_ms)
{
	if (!stream_row(s)->finish)
		return;
	(void)stream_move(s);
	if (!stream_row(s)->finish)
		return;
	stream_deadline(s, clock_mono_ms() + linger_ms);
	stream_row(s)->finish(s);
}

/* ---- TLS ---- */

/* Plaintext input is discarded: nothing that was received before TLS is used after it (RFC 3207
 * section 4.2).  False: the connection has ended meanwhile, or no more input can come. */
static bool
stream_may_start_tls(struct stream *s)
{
	if (s->tls_session || s->state == STREAM_CONNECTING)
		die("stream: TLS cannot be started in this state");
	stream_flush(s);
	stream_discard_input(s);
	s->facts &= (unsigned char)~FACT_INPUT;
	stream_wake(s);
	if (s->state == STREAM_HALF_CLOSED)
		stream_end_now(s, STREAM_TLS_FAILED, "closed before the TLS handshake");
	return s->state == STREAM_OPEN;
}

void
stream_start_tls_server(struct stream *s, struct tls_server *tls)
{
	if (!stream_may_start_tls(s))
		return;
	s->tls_session = tls_session_new_server(tls, &s->output);
	stream_enter(s, STREAM_SECURING);
	stream_arm(s);
}

void
stream_start_tls_client(struct stream *s, struct tls_client *tls, const char *name)
{
	if (!stream_may_start_tls(s))
		return;
	s->tls_session = tls_session_new_client(tls, name, &s->output);
	stream_enter(s, STREAM_SECURING);
	stream_arm(s);
	stream_handshake(s);
	if (s->state == STREAM_SECURING && s->sending != SENDING_BLOCKED)
		stream_send(s);
}

/* ---- properties ---- */

bool
stream_is_tls(const struct stream *s)
{
	return s->tls_session && tls_session_is_established(s->tls_session);
}

const char *
stream_tls_version(const struct stream *s)
{
	return stream_is_tls(s) ? tls_session_version(s->tls_session) : "";
}

bool
stream_tls_has_exporter(const struct stream *s)
{
	return stream_is_tls(s) && tls_session_has_exporter(s->tls_session);
}

bool
stream_tls_exporter(const struct stream *s, unsigned char out[32])
{
	return stream_is_tls(s) && tls_session_exporter(s->tls_session, out);
}

bool
stream_tls_is_verified(const struct stream *s)
{
	return stream_is_tls(s) && tls_session_is_verified(s->tls_session);
}

bool
stream_tls_is_resumed(const struct stream *s)
{
	return stream_is_tls(s) && tls_session_is_resumed(s->tls_session);
}

int
stream_error(const struct stream *s)
{
	return s->error;
}

const char *
stream_error_text(const struct stream *s)
{
	return s->text;
}

void
stream_peer(const struct stream *s, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out)
{
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof a;

	if (getpeername(s->fd, (struct sockaddr *)&a, &size) != 0)
		a.ss_family = AF_UNSPEC;
	endpoint_text(&a, address_out, port_out);
}

void
stream_local(const struct stream *s, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out)
{
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof a;

	if (getsockname(s->fd, (struct sockaddr *)&a, &size) != 0)
		a.ss_family = AF_UNSPEC;
	endpoint_text(&a, address_out, port_out);
}

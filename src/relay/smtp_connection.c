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
route_of_connection(const struct smtp_connection *s)
{
	return s->found->site.route;
}

/* ---- after each step of the talk ---- */

static void
send_client_output(struct smtp_connection *s)
{
	struct buf *out = smtp_client_output(s->client);

	if (out->n == 0)
		return;
	stream_write(s->stream, buf_str(out));
	buf_reset(out);
	stream_flush(s->stream);
}

/* The content has an end of its own, however fast each of its blocks is taken. */
static int64_t
content_until_ms(struct smtp_connection *s, int64_t now_ms)
{
	uint64_t bytes = smtp_client_content_bytes(s->client);

	if (!smtp_client_has_more_content(s->client))
		s->content_until_ms = INT64_MAX;
	else if (s->content_until_ms == INT64_MAX)
		s->content_until_ms =
		    now_ms + clock_timeout_ms(timeouts_content_ms(s->found->conf, bytes));
	return s->content_until_ms;
}

static void
set_reply_deadline(struct smtp_connection *s)
{
	int64_t now_ms = clock_mono_ms(), until_ms = content_until_ms(s, now_ms);

	if (s->armed == smtp_client_turn(s->client))
		return;
	s->armed = smtp_client_turn(s->client);
	if (until_ms > now_ms + smtp_client_timeout_ms(s->client))
		until_ms = now_ms + smtp_client_timeout_ms(s->client);
	stream_deadline(s->stream, until_ms);
}

static void
begin_tls(struct smtp_connection *s)
{
	s->state = SMTP_CONNECTION_SECURING;
	/* RFC 3207: what came in clear behind the 220 is nobody's */
	stream_drop(s->stream, stream_input(s->stream).n);
	stream_deadline(s->stream, clock_mono_ms() + s->found->conf->timeouts.ehlo_ms);
	stream_start_tls_client(s->stream, s->tls, s->host);
}

/* Tells the stream what the talk wants; returns how the step ended. */
static enum smtp_client_step
follow_client_step(struct smtp_connection *s, enum smtp_client_step step)
{
	send_client_output(s);
	while (step == SMTP_CLIENT_WAIT && smtp_client_has_more_content(s->client) &&
	       !smtp_client_awaits_content(s->client) &&
	       stream_waiting(s->stream) < MESSAGE_SOURCE_BLOCK_BYTES) {
		step = smtp_client_fill(s->client);
		send_client_output(s);
	}
	if (step == SMTP_CLIENT_SECURE)
		begin_tls(s);
	else if (step == SMTP_CLIENT_WAIT)
		set_reply_deadline(s);
	else if (step == SMTP_CLIENT_READY)
		stream_deadline(s->stream, 0);
	return step;
}

static void
report_client_step(struct smtp_connection *s, enum smtp_client_step step)
{
	step = follow_client_step(s, step);
	if (step == SMTP_CLIENT_READY)
		s->events->ready(s, s->arg);
	else if (step == SMTP_CLIENT_OVER)
		s->events->over(s, s->arg);
}

/* ---- what the stream tells ---- */

static void
smtp_connection_readable(struct stream *stream, void *arg)
{
	struct smtp_connection *s = arg;
	enum smtp_client_step step;
	size_t used;

	if (s->state == SMTP_CONNECTION_QUITTING) {
		stream_drop(stream, stream_input(stream).n);
		return;
	}
	step = smtp_client_take_input(s->client, stream_input(stream), &used);
	stream_drop(stream, used);
	report_client_step(s, step);
}

static void
smtp_connection_connected(struct stream *stream, void *arg)
{
	struct smtp_connection *s = arg;
	uint16_t port;

	s->state = SMTP_CONNECTION_TALKING;
	stream_local(stream, s->source, &port);
	if (s->level == SMTP_CLIENT_TLS_IMPLICIT) {
		begin_tls(s);
		return;
	}
	set_reply_deadline(s);
	stream_read(stream, true);
}

static void
smtp_connection_secured(struct stream *stream, void *arg)
{
	struct smtp_connection *s = arg;

	s->state = SMTP_CONNECTION_TALKING;
	s->is_secure = true;
	stream_read(stream, true);
	report_client_step(s, smtp_client_secured(s->client, stream_tls_is_verified(stream)));
}

static void
smtp_connection_drained(struct stream *stream, void *arg)
{
	struct smtp_connection *s = arg;

	(void)stream;
	if (s->state != SMTP_CONNECTION_QUITTING && smtp_client_has_more_content(s->client) &&
	    !smtp_client_awaits_content(s->client))
		report_client_step(s, smtp_client_fill(s->client));
}

void
smtp_connection_content_ready(struct smtp_connection *s)
{
	if (s->state == SMTP_CONNECTION_TALKING && smtp_client_awaits_content(s->client))
		report_client_step(s, smtp_client_fill(s->client));
}

/* What this machine lacks is not the host's fault: it must not count against the host. */
static bool
is_local_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == EADDRNOTAVAIL;
}

static enum smtp_client_step
connect_failed(struct smtp_connection *s, enum stream_end why)
{
	const char *reason = why == STREAM_EXPIRED ? REASON_TIMEOUT : REASON_CONNECT;
	struct smtp_status status = smtp_status_make(451, "4.4.1",
	    "connection to %s[%s]:%u failed: %s", s->host, s->address, s->port,
	    why == STREAM_EXPIRED ? "timed out" : stream_error_text(s->stream));

	if (why == STREAM_ERROR && is_local_shortage(stream_error(s->stream)))
		reason = REASON_LOCAL;
	return smtp_client_lost(s->client, &status, reason);
}

static enum smtp_client_step
handshake_failed(struct smtp_connection *s)
{
	struct smtp_status status = smtp_status_make(451, "4.7.5", "TLS with %s[%s] failed: %s",
	    s->host, s->address, stream_error_text(s->stream));

	s->tls_failed = true;
	return smtp_client_lost(s->client, &status, REASON_TLS);
}

static enum smtp_client_step
connection_lost(struct smtp_connection *s)
{
	struct smtp_status status = smtp_status_make(451, "4.4.2", "connection to %s[%s] lost (%s)",
	    s->host, s->address, smtp_client_phase(s->client));

	return smtp_client_lost(s->client, &status, REASON_LOST);
}

static void
smtp_connection_ended(struct stream *stream, enum stream_end why, void *arg)
{
	struct smtp_connection *s = arg;

	(void)stream;
	switch (s->state) {
	case SMTP_CONNECTION_CONNECTING:
		connect_failed(s, why);
		break;
	case SMTP_CONNECTION_SECURING:
		handshake_failed(s);
		break;
	case SMTP_CONNECTION_TALKING:
		if (why == STREAM_EXPIRED)
			smtp_client_expired(s->client);
		else
			connection_lost(s);
		break;
	case SMTP_CONNECTION_QUITTING:
		break;
	}
	s->events->over(s, s->arg);
}

static const struct stream_events stream_events = {.readable = smtp_connection_readable,
    .connected = smtp_connection_connected,
    .secured = smtp_connection_secured,
    .drained = smtp_connection_drained,
    .ended = smtp_connection_ended};

/* ---- life ---- */

static struct smtp_client_options
smtp_client_options_of(const struct smtp_connection *s, bool without_chunking)
{
	const struct conf *c = s->found->conf;

	return (struct smtp_client_options){
	    .hostname = c->hostname,
	    .is_lmtp = route_of_connection(s)->via == VIA_LMTP,
	    .must_be_other = route_of_connection(s)->via == VIA_MX,
	    .without_chunking = without_chunking,
	    .tls = s->level,
	    .username = route_of_connection(s)->username,
	    .password = route_of_connection(s)->password,
	    .patience = {c->timeouts.greeting_ms, c->timeouts.ehlo_ms, c->timeouts.mail_ms,
	        c->timeouts.rcpt_ms, c->timeouts.data_ms, c->timeouts.body_ms,
	        c->timeouts.final_ms},
	};
}

struct smtp_connection *
smtp_connection_open(const struct smtp_connection_options *o)
{
	struct stream_addresses ends = {0};
	struct smtp_connection *s = MEM_NEW(struct smtp_connection);
	struct smtp_client_options options;

	s->base = o->base;
	s->content_until_ms = INT64_MAX;
	s->found = cached_destination_keep(o->found);
	s->tls = tls_client_keep(o->tls);
	s->level = o->level;
	s->events = o->events;
	s->arg = o->arg;
	snprintf(s->host, sizeof s->host, "%s", o->host);
	endpoint_text(&o->address->sa, s->address, &s->port);
	options = smtp_client_options_of(s, o->without_chunking);
	s->client = smtp_client_new(&options);
	ends.to = (const struct sockaddr *)&o->address->sa;
	ends.to_len = o->address->len;
	s->stream = stream_connect(o->base, &ends, &stream_events, s);
	stream_deadline(s->stream, clock_mono_ms() + s->found->conf->timeouts.connect_ms);
	return s;
}

void
smtp_connection_set_owner(
    struct smtp_connection *s, const struct smtp_connection_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

enum smtp_client_step
smtp_connection_send(struct smtp_connection *s, struct message_source *message)
{
	s->messages++;
	return follow_client_step(s, smtp_client_send(s->client, message));
}

void
smtp_connection_quit(struct smtp_connection *s)
{
	smtp_client_quit(s->client);
	s->state = SMTP_CONNECTION_QUITTING;
	stream_deadline(s->stream, 0);
	send_client_output(s);
	stream_finish(s->stream, QUIT_LINGER_MS);
}

void
smtp_connection_free(struct smtp_connection **p)
{
	struct smtp_connection *s = *p;

	if (!s)
		return;
	*p = NULL;
	stream_free(&s->stream);
	smtp_client_free(&s->client);
	tls_client_drop(&s->tls);
	cached_destination_drop(&s->found);
	mem_free(s);
}

/* TLS stands, it was not begun, its handshake did not end well. */
#define SMTP_CONNECTION_TLS_WORDS(level) {level, level ":not_begun", level ":handshake"}

const char *
smtp_connection_tls(const struct smtp_connection *s)
{
	static const char *const words[][3] = {
	    [ROUTE_TLS_OPPORTUNISTIC] = SMTP_CONNECTION_TLS_WORDS("opportunistic"),
	    [ROUTE_TLS_NONE] = {"none", "none", "none"},
	    [ROUTE_TLS_ENCRYPT] = SMTP_CONNECTION_TLS_WORDS("encrypt"),
	    [ROUTE_TLS_VERIFY] = SMTP_CONNECTION_TLS_WORDS("verify"),
	    [ROUTE_TLS_IMPLICIT] = SMTP_CONNECTION_TLS_WORDS("verify"),
	    [ROUTE_TLS_STARTTLS] = SMTP_CONNECTION_TLS_WORDS("verify"),
	};

	if (s->is_secure)
		return words[route_of_connection(s)->tls][0];
	if (s->state == SMTP_CONNECTION_SECURING)
		return words[route_of_connection(s)->tls][2];
	/* in clear: as the route says, after TLS failed, or because the host has none */
	return s->level == SMTP_CLIENT_TLS_NEVER || s->messages
	           ? "none"
	           : words[route_of_connection(s)->tls][1];
}

/*
 * smtp_connection: transports bytes between the stream and the client.  Deadlines are absolute: one
 * is set for each turn of the dialogue, and bytes that come slowly do not move it.
 */
#include "relay/smtp_connection.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "policy/timeouts.h"
#include "relay/reason.h"

enum { QUIT_LINGER_MS = 2000 };

static const struct destination *
destination_of_connection(const struct smtp_connection *connection)
{
	return &connection->destination->resolved.to;
}

/* ---- after each step of the client ---- */

static void
send_client_output(struct smtp_connection *connection)
{
	struct buf *out = smtp_client_output(connection->client);

	if (out->n == 0)
		return;
	stream_write(connection->stream, buf_str(out));
	buf_reset(out);
	stream_flush(connection->stream);
}

/* The content as a whole has a deadline, however fast each of its blocks is taken. */
static int64_t
content_until_ms(struct smtp_connection *connection, int64_t now_ms)
{
	uint64_t bytes = smtp_client_content_bytes(connection->client);

	if (!smtp_client_has_more_content(connection->client))
		connection->content_until_ms = INT64_MAX;
	else if (connection->content_until_ms == INT64_MAX)
		connection->content_until_ms = now_ms + clock_timeout_ms(timeouts_content_ms(
		                                            connection->destination->conf, bytes));
	return connection->content_until_ms;
}

static void
set_reply_deadline(struct smtp_connection *connection)
{
	int64_t now_ms = clock_mono_ms(), until_ms = content_until_ms(connection, now_ms);

	if (connection->armed_turn == smtp_client_turn(connection->client))
		return;
	connection->armed_turn = smtp_client_turn(connection->client);
	if (until_ms > now_ms + smtp_client_timeout_ms(connection->client))
		until_ms = now_ms + smtp_client_timeout_ms(connection->client);
	stream_deadline(connection->stream, until_ms);
}

static void
begin_tls(struct smtp_connection *connection)
{
	connection->state = SMTP_CONNECTION_SECURING;
	/* RFC 3207: what the host sent in plaintext after the 220 is discarded */
	stream_drop(connection->stream, stream_input(connection->stream).n);
	stream_deadline(
	    connection->stream, clock_mono_ms() + connection->destination->conf->timeouts.ehlo_ms);
	stream_start_tls_client(connection->stream, connection->tls, connection->host);
}

/* Does with the stream what the step requires; returns the step of the client after that. */
static enum smtp_client_step
follow_client_step(struct smtp_connection *connection, enum smtp_client_step step)
{
	send_client_output(connection);
	while (step == SMTP_CLIENT_WAIT && smtp_client_has_more_content(connection->client) &&
	       !smtp_client_awaits_content(connection->client) &&
	       stream_waiting(connection->stream) < MESSAGE_SOURCE_BLOCK_BYTES) {
		step = smtp_client_fill(connection->client);
		send_client_output(connection);
	}
	if (step == SMTP_CLIENT_SECURE)
		begin_tls(connection);
	else if (step == SMTP_CLIENT_WAIT)
		set_reply_deadline(connection);
	else if (step == SMTP_CLIENT_READY)
		stream_deadline(connection->stream, 0);
	return step;
}

static void
report_client_step(struct smtp_connection *connection, enum smtp_client_step step)
{
	step = follow_client_step(connection, step);
	if (step == SMTP_CLIENT_READY)
		connection->events->ready(connection, connection->arg);
	else if (step == SMTP_CLIENT_OVER)
		connection->events->over(connection, connection->arg);
}

/* ---- events of the stream ---- */

static void
smtp_connection_readable(struct stream *stream, void *arg)
{
	struct smtp_connection *connection = arg;
	enum smtp_client_step step;
	size_t used;

	if (connection->state == SMTP_CONNECTION_QUITTING) {
		stream_drop(stream, stream_input(stream).n);
		return;
	}
	step = smtp_client_take_input(connection->client, stream_input(stream), &used);
	stream_drop(stream, used);
	report_client_step(connection, step);
}

static void
smtp_connection_connected(struct stream *stream, void *arg)
{
	struct smtp_connection *connection = arg;
	uint16_t port;

	connection->state = SMTP_CONNECTION_OPEN;
	metrics_count(METRIC_CONNECTIONS_OPENED, 1);
	stream_local(stream, connection->source, &port);
	if (connection->tls_level == SMTP_CLIENT_TLS_IMPLICIT) {
		begin_tls(connection);
		return;
	}
	set_reply_deadline(connection);
	stream_read(stream, true);
}

static void
smtp_connection_secured(struct stream *stream, void *arg)
{
	struct smtp_connection *connection = arg;

	connection->state = SMTP_CONNECTION_OPEN;
	connection->is_secure = true;
	metrics_count(stream_tls_is_verified(stream) ? METRIC_OUTBOUND_TLS_VERIFIED
						     : METRIC_OUTBOUND_TLS_UNVERIFIED, 1);
	stream_read(stream, true);
	report_client_step(
	    connection, smtp_client_secured(connection->client, stream_tls_is_verified(stream)));
}

static void
smtp_connection_drained(struct stream *stream, void *arg)
{
	struct smtp_connection *connection = arg;

	(void)stream;
	if (connection->state != SMTP_CONNECTION_QUITTING &&
	    smtp_client_has_more_content(connection->client) &&
	    !smtp_client_awaits_content(connection->client))
		report_client_step(connection, smtp_client_fill(connection->client));
}

void
smtp_connection_content_ready(struct smtp_connection *connection)
{
	if (connection->state == SMTP_CONNECTION_OPEN &&
	    smtp_client_awaits_content(connection->client))
		report_client_step(connection, smtp_client_fill(connection->client));
}

/* A resource that this machine lacks is not the host's fault, and must not count against it. */
static bool
is_local_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == EADDRNOTAVAIL;
}

static enum smtp_client_step
connect_failed(struct smtp_connection *connection, enum stream_end why)
{
	const char *reason = why == STREAM_EXPIRED ? REASON_TIMEOUT : REASON_CONNECT;
	struct smtp_status status =
	    smtp_status_make(451, "4.4.1", "connection to %s[%s]:%u failed: %s", connection->host,
	        connection->address, connection->port,
	        why == STREAM_EXPIRED ? "timed out" : stream_error_text(connection->stream));

	metrics_count(METRIC_CONNECTIONS_FAILED, 1);
	if (why == STREAM_ERROR && is_local_shortage(stream_error(connection->stream)))
		reason = REASON_LOCAL;
	if (why == STREAM_ERROR && error_text_is_descriptors(stream_error(connection->stream)))
		metrics_lacks_descriptors();
	return smtp_client_lost(connection->client, &status, reason);
}

static enum smtp_client_step
handshake_failed(struct smtp_connection *connection)
{
	struct smtp_status status = smtp_status_make(451, "4.7.5", "TLS with %s[%s] failed: %s",
	    connection->host, connection->address, stream_error_text(connection->stream));

	connection->tls_failed = true;
	metrics_count(METRIC_OUTBOUND_TLS_FAILED, 1);
	return smtp_client_lost(connection->client, &status, REASON_TLS);
}

static enum smtp_client_step
connection_lost(struct smtp_connection *connection)
{
	struct smtp_status status = smtp_status_make(451, "4.4.2", "connection to %s[%s] lost (%s)",
	    connection->host, connection->address, smtp_client_phase(connection->client));

	return smtp_client_lost(connection->client, &status, REASON_LOST);
}

static void
smtp_connection_ended(struct stream *stream, enum stream_end why, void *arg)
{
	struct smtp_connection *connection = arg;

	(void)stream;
	switch (connection->state) {
	case SMTP_CONNECTION_CONNECTING:
		connect_failed(connection, why);
		break;
	case SMTP_CONNECTION_SECURING:
		handshake_failed(connection);
		break;
	case SMTP_CONNECTION_OPEN:
		if (why == STREAM_EXPIRED)
			smtp_client_expired(connection->client);
		else
			connection_lost(connection);
		break;
	case SMTP_CONNECTION_QUITTING:
		break;
	}
	connection->events->over(connection, connection->arg);
}

static const struct stream_events stream_events = {.readable = smtp_connection_readable,
    .connected = smtp_connection_connected,
    .secured = smtp_connection_secured,
    .drained = smtp_connection_drained,
    .ended = smtp_connection_ended};

/* ---- life cycle ---- */

static struct smtp_client_options
smtp_client_options_of(const struct smtp_connection *connection, bool without_chunking)
{
	const struct conf *c = connection->destination->conf;

	return (struct smtp_client_options){
	    .hostname = c->hostname,
	    .is_lmtp = destination_of_connection(connection)->transport == VIA_LMTP,
	    .check_loop = destination_of_connection(connection)->transport == VIA_MX,
	    .without_chunking = without_chunking,
	    .tls = connection->tls_level,
	    .username = destination_of_connection(connection)->login,
	    .password = connection->destination->password,
	    .timeouts = {c->timeouts.greeting_ms, c->timeouts.ehlo_ms, c->timeouts.mail_ms,
	        c->timeouts.rcpt_ms, c->timeouts.data_ms, c->timeouts.body_ms,
	        c->timeouts.final_ms},
	};
}

struct smtp_connection *
smtp_connection_open(const struct smtp_connection_options *o)
{
	struct stream_addresses ends = {0};
	struct smtp_connection *connection = MEM_NEW(struct smtp_connection);
	struct smtp_client_options options;

	connection->base = o->base;
	connection->content_until_ms = INT64_MAX;
	connection->destination = cached_destination_keep(o->destination);
	connection->tls = tls_client_keep(o->tls);
	connection->tls_level = o->tls_level;
	connection->events = o->events;
	connection->arg = o->arg;
	snprintf(connection->host, sizeof connection->host, "%s", o->host);
	endpoint_text(&o->address->sa, connection->address, &connection->port);
	options = smtp_client_options_of(connection, o->without_chunking);
	connection->client = smtp_client_new(&options);
	ends.to = (const struct sockaddr *)&o->address->sa;
	ends.to_len = o->address->len;
	connection->stream = stream_connect(o->base, &ends, &stream_events, connection);
	stream_deadline(connection->stream,
	    clock_mono_ms() + connection->destination->conf->timeouts.connect_ms);
	return connection;
}

void
smtp_connection_set_owner(
    struct smtp_connection *connection, const struct smtp_connection_events *events, void *arg)
{
	connection->events = events;
	connection->arg = arg;
}

enum smtp_client_step
smtp_connection_send(struct smtp_connection *connection, struct message_source *message)
{
	connection->messages++;
	return follow_client_step(connection, smtp_client_send(connection->client, message));
}

void
smtp_connection_quit(struct smtp_connection *connection)
{
	smtp_client_quit(connection->client);
	connection->state = SMTP_CONNECTION_QUITTING;
	stream_deadline(connection->stream, 0);
	send_client_output(connection);
	stream_finish(connection->stream, QUIT_LINGER_MS);
}

void
smtp_connection_free(struct smtp_connection **connection_ptr)
{
	struct smtp_connection *connection = *connection_ptr;

	if (!connection)
		return;
	*connection_ptr = NULL;
	stream_free(&connection->stream);
	smtp_client_free(&connection->client);
	tls_client_drop(&connection->tls);
	cached_destination_drop(&connection->destination);
	mem_free(connection);
}

/* The words for: TLS is established, was not started, its handshake failed. */
#define SMTP_CONNECTION_TLS_WORDS(level) {level, level ":not_begun", level ":handshake"}

const char *
smtp_connection_tls(const struct smtp_connection *connection)
{
	static const char *const words[][3] = {
	    [ROUTE_TLS_OPPORTUNISTIC] = SMTP_CONNECTION_TLS_WORDS("opportunistic"),
	    [ROUTE_TLS_NONE] = {"none", "none", "none"},
	    [ROUTE_TLS_ENCRYPT] = SMTP_CONNECTION_TLS_WORDS("encrypt"),
	    [ROUTE_TLS_VERIFY] = SMTP_CONNECTION_TLS_WORDS("verify"),
	    [ROUTE_TLS_IMPLICIT] = SMTP_CONNECTION_TLS_WORDS("verify"),
	    [ROUTE_TLS_STARTTLS] = SMTP_CONNECTION_TLS_WORDS("verify"),
	};

	if (connection->is_secure)
		return words[destination_of_connection(connection)->tls][0];
	if (connection->state == SMTP_CONNECTION_SECURING)
		return words[destination_of_connection(connection)->tls][2];
	/* in plaintext: by the route, after TLS failed, or because the host does not offer TLS */
	return connection->tls_level == SMTP_CLIENT_TLS_NEVER || connection->messages
	           ? "none"
	           : words[destination_of_connection(connection)->tls][1];
}

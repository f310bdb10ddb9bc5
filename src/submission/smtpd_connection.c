/*
 * smtpd_connection: runs a session on a stream. The replies to a pipelined group are sent in one
 * write; no input is taken from a client that does not read its replies.
 */
#include "submission/smtpd_connection.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/stream.h"
#include "submission/session.h"

enum {
	LINGER_MS = 3000,
	REPLIES_MAX = 16 << 10, /* collected before they are sent */
	UNREAD_MAX = 128 << 10, /* replies that wait for the client to read */
};

static bool
smtpd_connection_is_asking(const struct smtpd_connection *c)
{
	return request_is_open(&c->request) || c->token.lease;
}

/* ---- the end ---- */

static void
log_smtpd_close(const struct smtpd_connection *c, const char *reason)
{
	struct session_counts counts = session_counts(c->session);
	struct log_line l;

	log_begin(&l, LOG_INFO, "close");
	log_id(&l, (struct msgid){c->id, 0}, 0);
	log_str(&l, "ip", str_of(c->client));
	log_num(&l, "messages", counts.messages);
	log_num(&l, "rcpts", counts.recipients);
	log_num(&l, "refused", counts.refused);
	log_num(&l, "bytes_in", c->bytes_in);
	log_seconds(&l, "seconds", clock_mono_ms() - c->began_ms);
	log_str(&l, "reason", str_of(reason));
	log_end(&l);
}

void
smtpd_connection_set_unchecked(struct smtpd_connection *c)
{
	if (!c->is_unchecked)
		LIST_INSERT_HEAD(&c->submission->unchecked, c, unchecked_link);
	c->is_unchecked = true;
}

void
smtpd_connection_set_checked(struct smtpd_connection *c)
{
	if (c->is_unchecked)
		LIST_REMOVE(c, unchecked_link);
	c->is_unchecked = false;
}

static void
end_smtpd_session(struct smtpd_connection *c, const char *reason)
{
	if (!c->session)
		return;
	smtpd_connection_set_checked(c);
	log_smtpd_close(c, reason);
	request_cancel(&c->request);
	limit_tokens_cancel(&c->token);
	session_free(&c->session);
	async_io_file_drop(&c->file);
}

static void
smtpd_connection_free(struct smtpd_connection *c)
{
	struct submission *submission = c->submission;

	LIST_REMOVE(c, link);
	submission->connection_count--;
	if (submission->client_counts)
		client_counts_remove(
		    submission->client_counts, str_make(c->network, c->network_bytes));
	stream_free(&c->stream);
	mem_free(c);
	if (submission->role->is_stopping && submission->connection_count == 0)
		role_stopped(submission->role);
}

/* ---- running ---- */

static void
smtpd_connection_write_replies(struct smtpd_connection *c)
{
	struct buf *out = session_out(c->session);

	if (out->n == 0)
		return;
	stream_write(c->stream, buf_str(out));
	buf_clear(out);
}

static void
flush_smtpd_replies(struct smtpd_connection *c)
{
	smtpd_connection_write_replies(c);
	stream_flush(c->stream);
}

static bool
has_unread_replies(const struct smtpd_connection *c)
{
	return stream_waiting(c->stream) > UNREAD_MAX;
}

static enum session_step
read_smtpd_input(struct smtpd_connection *c, enum session_step step)
{
	size_t used = 1;
	struct str in;

	while (step == SESSION_NEXT && used > 0 && !has_unread_replies(c)) {
		in = stream_input(c->stream);
		step = session_take(c->session, in, &used);
		if (session_had_secret(c->session))
			mem_wipe((char *)in.p, used);
		c->bytes_in += used;
		stream_drop(c->stream, used);
		if (session_out(c->session)->n > REPLIES_MAX)
			flush_smtpd_replies(c);
	}
	return step;
}

void
smtpd_connection_run(struct smtpd_connection *c, enum session_step step)
{
	step = read_smtpd_input(c, step);
	if (step == SESSION_CLOSE) {
		smtpd_connection_write_replies(c);
		stream_finish(c->stream, LINGER_MS);
		end_smtpd_session(c, session_reason(c->session));
		return;
	}
	/* a request to auth or the queue ends in a reply, and the former replies are sent with
	 * it */
	if (step != SESSION_WAIT || !smtpd_connection_is_asking(c))
		flush_smtpd_replies(c);
	c->is_waiting = step == SESSION_WAIT;
	if (c->wants_tls) {
		c->wants_tls = false;
		stream_start_tls_server(c->stream, c->submission->tls);
	}
	stream_read(c->stream, step == SESSION_NEXT && !has_unread_replies(c));
}

/* ---- the stream ---- */

static void
on_smtpd_readable(struct stream *s, void *arg)
{
	struct smtpd_connection *c = arg;

	(void)s;
	if (c->session && !c->is_waiting)
		smtpd_connection_run(c, SESSION_NEXT);
}

static void
on_smtpd_secured(struct stream *s, void *arg)
{
	struct smtpd_connection *c = arg;
	const char *version = stream_tls_version(s);
	/* in TLS 1.2 clients bind by tls-unique (RFC 5802), which is not implemented: they would
	 * choose -PLUS and fail, instead of the same mechanism without it */
	bool has_binding = strcmp(version, "TLSv1.3") == 0 && stream_tls_has_exporter(s);

	metrics_count(METRIC_TLS_HANDSHAKES_OK, 1);
	if (c->session)
		smtpd_connection_run(c, session_secured(c->session, version, has_binding));
}

static void
on_smtpd_expired(struct stream *s, void *arg)
{
	struct smtpd_connection *c = arg;

	(void)s;
	if (c->session)
		smtpd_connection_run(c, session_expired(c->session));
}

static void
log_smtpd_tls_failed(const struct smtpd_connection *c, const char *error)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "tls fail");
	log_id(&l, (struct msgid){c->id, 0}, 0);
	log_str(&l, "ip", str_of(c->client));
	log_quoted(&l, "error", str_of(error));
	log_end(&l);
}

static void
on_smtpd_ended(struct stream *s, enum stream_end why, void *arg)
{
	static const char *const reasons[] = {
	    [STREAM_EOF] = "eof",
	    [STREAM_TRUNCATED] = "cut",
	    [STREAM_ERROR] = "error",
	    [STREAM_TLS_FAILED] = "tls_failed",
	    [STREAM_EXPIRED] = "timeout",
	};
	struct smtpd_connection *c = arg;

	metrics_count(METRIC_TLS_HANDSHAKES_FAILED, why == STREAM_TLS_FAILED);
	if (why == STREAM_TLS_FAILED && c->session)
		log_smtpd_tls_failed(c, stream_error_text(s));
	end_smtpd_session(c, reasons[why]);
	smtpd_connection_free(c);
}

static const struct stream_events events = {
    .readable = on_smtpd_readable,
    .secured = on_smtpd_secured,
    .drained = on_smtpd_readable,
    .expired = on_smtpd_expired,
    .ended = on_smtpd_ended,
};

/* ---- lifetime ---- */

void
smtpd_connection_new(struct submission *submission, const struct smtpd_connection_client *client,
    const struct conf_listen *listen)
{
	struct smtpd_connection *c = MEM_NEW(struct smtpd_connection);
	struct session_setup setup = {
	    .services = submission->services,
	    .arg = c,
	    .conf = submission->role->conf,
	    .port = (uint16_t)listen->port,
	    .is_implicit_tls = listen->tls == LISTEN_IMPLICIT,
	    .may_tls = submission->tls != NULL,
	};

	c->submission = submission;
	c->began_ms = clock_mono_ms();
	c->id = setup.id = id_next(&submission->role->ids);
	c->network_bytes = (uint8_t)str_upto(client->network, SMTPD_CONNECTION_NETWORK_MAX).n;
	memcpy(c->network, client->network.p, c->network_bytes);
	c->stream = stream_new(submission->base, client->fd, &events, c);
	endpoint_text(&client->from, c->client, &(uint16_t){0});
	setup.client = c->client;
	c->session = session_new(&setup);
	LIST_INSERT_HEAD(&submission->connections, c, link);
	submission->connection_count++;
	metrics_count(METRIC_SESSIONS, 1);
	c->wants_tls = setup.is_implicit_tls;
	smtpd_connection_run(c, session_begin(c->session));
}

void
smtpd_connection_user_gone(struct submission *submission, struct str user)
{
	struct smtpd_connection *c, *next;

	for (c = LIST_FIRST(&submission->connections); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->session && str_eq(session_user(c->session), user))
			smtpd_connection_run(c, session_user_gone(c->session));
	}
}

void
smtpd_connection_stop_all(struct submission *submission)
{
	struct smtpd_connection *c, *next;

	for (c = LIST_FIRST(&submission->connections); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->session)
			smtpd_connection_run(c, session_stop(c->session));
	}
}

void
smtpd_connection_free_all(struct submission *submission)
{
	struct smtpd_connection *c;

	while ((c = LIST_FIRST(&submission->connections))) {
		end_smtpd_session(c, "shutdown");
		smtpd_connection_free(c);
	}
}

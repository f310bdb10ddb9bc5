/*
 * smtpd_connection: runs a session on a stream.  Replies of one pipelined group leave in one write;
 * a client that does not read its replies is not listened to.
 */
#include "submission/smtpd_connection.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/stream.h"
#include "submission/services.h"
#include "submission/session.h"

enum {
	LINGER_MS = 3000,
	REPLIES_MAX = 16 << 10, /* collected before they are sent */
	UNREAD_MAX = 128 << 10, /* replies waiting for the client to read */
};

static bool
connection_has_asked(const struct connection *c)
{
	return request_is_open(&c->request) || c->token.lease;
}

/* ---- the end ---- */

static void
log_close(const struct connection *c, const char *reason)
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
connection_unchecked(struct connection *c)
{
	if (!c->is_unchecked)
		LIST_INSERT_HEAD(&c->gate->unchecked, c, unchecked_link);
	c->is_unchecked = true;
}

void
connection_checked(struct connection *c)
{
	if (c->is_unchecked)
		LIST_REMOVE(c, unchecked_link);
	c->is_unchecked = false;
}

static void
end_session(struct connection *c, const char *reason)
{
	if (!c->session)
		return;
	connection_checked(c);
	log_close(c, reason);
	request_cancel(&c->request);
	tokens_cancel(&c->token);
	session_free(&c->session);
	disk_file_drop(&c->file);
}

static void
connection_free(struct connection *c)
{
	struct gate *g = c->gate;

	LIST_REMOVE(c, link);
	g->connection_count--;
	if (g->clients)
		clients_leave(g->clients, str_make(c->network, c->network_bytes));
	stream_free(&c->stream);
	mem_free(c);
	if (g->role->is_stopping && g->connection_count == 0)
		role_stopped(g->role);
}

/* ---- running ---- */

static void
connection_write_replies(struct connection *c)
{
	struct buf *out = session_out(c->session);

	if (out->n == 0)
		return;
	stream_write(c->stream, buf_str(out));
	buf_clear(out);
}

static void
send_replies(struct connection *c)
{
	connection_write_replies(c);
	stream_flush(c->stream);
}

static bool
is_choked(const struct connection *c)
{
	return stream_waiting(c->stream) > UNREAD_MAX;
}

static enum session_step
take_input(struct connection *c, enum session_step step)
{
	size_t used = 1;
	struct str in;

	while (step == SESSION_NEXT && used > 0 && !is_choked(c)) {
		in = stream_input(c->stream);
		step = session_take(c->session, in, &used);
		if (session_had_secret(c->session))
			mem_wipe((char *)in.p, used);
		c->bytes_in += used;
		stream_drop(c->stream, used);
		if (session_out(c->session)->n > REPLIES_MAX)
			send_replies(c);
	}
	return step;
}

void
connection_run(struct connection *c, enum session_step step)
{
	step = take_input(c, step);
	if (step == SESSION_CLOSE) {
		connection_write_replies(c);
		stream_finish(c->stream, LINGER_MS);
		end_session(c, session_reason(c->session));
		return;
	}
	/* what is asked of others ends in a reply, with which the former ones can leave */
	if (step != SESSION_WAIT || !connection_has_asked(c))
		send_replies(c);
	c->is_waiting = step == SESSION_WAIT;
	if (c->wants_tls) {
		c->wants_tls = false;
		stream_start_tls_server(c->stream, c->gate->tls);
	}
	stream_read(c->stream, step == SESSION_NEXT && !is_choked(c));
}

/* ---- the stream ---- */

static void
on_readable(struct stream *s, void *arg)
{
	struct connection *c = arg;

	(void)s;
	if (c->session && !c->is_waiting)
		connection_run(c, SESSION_NEXT);
}

static void
on_secured(struct stream *s, void *arg)
{
	struct connection *c = arg;
	const char *version = stream_tls_version(s);
	/* in TLS 1.2 clients bind by tls-unique (RFC 5802), which is not known here: they would
	 * choose -PLUS and fail, instead of the same without it */
	bool has_binding = strcmp(version, "TLSv1.3") == 0 && stream_tls_has_exporter(s);

	if (c->session)
		connection_run(c, session_secured(c->session, version, has_binding));
}

static void
on_expired(struct stream *s, void *arg)
{
	struct connection *c = arg;

	(void)s;
	if (c->session)
		connection_run(c, session_expired(c->session));
}

static void
log_tls_failed(const struct connection *c, const char *error)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "tls fail");
	log_id(&l, (struct msgid){c->id, 0}, 0);
	log_str(&l, "ip", str_of(c->client));
	log_quoted(&l, "error", str_of(error));
	log_end(&l);
}

static void
on_ended(struct stream *s, enum stream_end why, void *arg)
{
	static const char *const reasons[] = {
	    [STREAM_EOF] = "eof",
	    [STREAM_CUT] = "cut",
	    [STREAM_ERROR] = "error",
	    [STREAM_TLS_FAILED] = "tls_failed",
	    [STREAM_EXPIRED] = "timeout",
	};
	struct connection *c = arg;

	if (why == STREAM_TLS_FAILED && c->session)
		log_tls_failed(c, stream_error_text(s));
	end_session(c, reasons[why]);
	connection_free(c);
}

static const struct stream_events events = {
    .readable = on_readable,
    .secured = on_secured,
    .drained = on_readable,
    .expired = on_expired,
    .ended = on_ended,
};

/* ---- life ---- */

void
connection_new(
    struct gate *g, const struct connection_guest *guest, const struct conf_listen *listen)
{
	struct connection *c = MEM_NEW(struct connection);
	struct session_setup setup = {
	    .services = &services_of_connection,
	    .arg = c,
	    .conf = g->role->conf,
	    .port = (uint16_t)listen->port,
	    .is_implicit_tls = listen->tls == LISTEN_IMPLICIT,
	    .may_tls = g->tls != NULL,
	};

	c->gate = g;
	c->began_ms = clock_mono_ms();
	c->id = setup.id = id_next(&g->role->ids);
	c->network_bytes = (uint8_t)str_upto(guest->network, CONNECTION_NETWORK_MAX).n;
	memcpy(c->network, guest->network.p, c->network_bytes);
	c->stream = stream_new(g->base, guest->fd, &events, c);
	endpoint_text(&guest->from, c->client, &(uint16_t){0});
	setup.client = c->client;
	c->session = session_new(&setup);
	LIST_INSERT_HEAD(&g->connections, c, link);
	g->connection_count++;
	c->wants_tls = setup.is_implicit_tls;
	connection_run(c, session_begin(c->session));
}

void
connection_user_gone(struct gate *g, struct str user)
{
	struct connection *c, *next;

	for (c = LIST_FIRST(&g->connections); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->session && str_eq(session_user(c->session), user))
			connection_run(c, session_user_gone(c->session));
	}
}

void
connection_stop_all(struct gate *g)
{
	struct connection *c, *next;

	for (c = LIST_FIRST(&g->connections); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->session)
			connection_run(c, session_stop(c->session));
	}
}

void
connection_free_all(struct gate *g)
{
	struct connection *c;

	while ((c = LIST_FIRST(&g->connections))) {
		end_session(c, "shutdown");
		connection_free(c);
	}
}

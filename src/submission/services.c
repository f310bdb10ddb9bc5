/*
 * services: sends the requests of a session on the channels of this process. An answer comes from
 * the event loop and continues the session that asked.
 */
#include "submission/services.h"

#include <string.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/fsio.h"
#include "base/log.h"
#include "conf/descriptors.h"
#include "submission/smtpd_connection.h"

/* ---- answers ---- */

static void
on_auth_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct smtpd_connection *c = arg;

	(void)end;
	smtpd_connection_run(
	    c, session_auth_answer(c->session, p ? &p->message->auth_answer : NULL));
}

static void
on_queue_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct smtpd_connection *c = arg;

	(void)end;
	smtpd_connection_run(
	    c, session_queue_answer(c->session, p ? &p->message->status.status : NULL));
}

static void
on_spool_file_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct smtpd_connection *c = arg;
	const struct smtp_status *answer = p ? &p->message->status.status : NULL;
	struct smtp_status lost = smtp_status_no_descriptors();

	(void)end;
	async_io_file_drop(&c->file);
	if (p && p->fd >= 0)
		c->file = async_io_file_new(c->submission->disk, p->fd, c->file_of);
	/* success without a file is no answer */
	if (answer && smtp_status_is_ok(answer) && !c->file)
		answer = NULL;
	if (c->request.is_fd_lost)
		answer = &lost;
	smtpd_connection_run(c, session_queue_answer(c->session, answer));
}

/* False: the service is not connected. */
static bool
services_ask(struct smtpd_connection *c, struct channel *to, enum message_type type, const void *m,
    request_fn *fn)
{
	if (!to)
		return false;
	request_init(&c->request, fn, c);
	request_ask(&c->request, to, type, m);
	return true;
}

/* ---- services ---- */

static int64_t
services_now_ms(void *arg)
{
	(void)arg;
	return clock_ms();
}

static int64_t
services_mono_ms(void *arg)
{
	(void)arg;
	return clock_mono_ms();
}

static void
services_deadline(void *arg, int64_t at_ms)
{
	struct smtpd_connection *c = arg;

	stream_deadline(c->stream, at_ms);
}

static bool
services_has_unseen(void *arg)
{
	struct smtpd_connection *c = arg;

	return stream_has_unseen(c->stream);
}

static bool
services_start_tls(void *arg)
{
	struct smtpd_connection *c = arg;

	c->wants_tls = c->submission->tls != NULL;
	return c->wants_tls;
}

static bool
services_binding(void *arg, unsigned char out[SESSION_BINDING_BYTES])
{
	struct smtpd_connection *c = arg;

	return stream_tls_exporter(c->stream, out);
}

static bool
services_start_auth(void *arg, const struct message_auth_start *m)
{
	struct smtpd_connection *c = arg;

	return services_ask(c, c->submission->auth, MESSAGE_AUTH_START, m, on_auth_answer);
}

static bool
services_step_auth(void *arg, const struct message_auth_step *m)
{
	struct smtpd_connection *c = arg;

	return services_ask(c, c->submission->auth, MESSAGE_AUTH_STEP, m, on_auth_answer);
}

static void
services_cancel_auth(void *arg, const struct message_auth_cancel *m)
{
	struct smtpd_connection *c = arg;

	request_cancel(&c->request);
	if (c->submission->auth)
		(void)!channel_send(c->submission->auth, MESSAGE_AUTH_CANCEL, m, -1);
}

/* Counts one more token of the present queue; tokens of a lost queue are void. */
static void
hold_limit_token(struct smtpd_connection *c)
{
	unsigned now = limit_tokens_generation(c->submission->tokens);

	if (c->token_generation != now)
		c->tokens_held = 0;
	c->token_generation = now;
	c->tokens_held++;
}

/* How many of the tokens that the session gives up belong to the present queue. */
static uint32_t
drop_held_tokens(struct smtpd_connection *c, uint32_t count)
{
	bool is_void = c->token_generation != limit_tokens_generation(c->submission->tokens);

	if (is_void || c->tokens_held < count)
		count = is_void ? 0 : c->tokens_held;
	c->tokens_held -= is_void ? c->tokens_held : count;
	return count;
}

static void
on_limit_token(const struct smtp_status *status, void *arg)
{
	struct smtpd_connection *c = arg;

	if (status && smtp_status_is_ok(status))
		hold_limit_token(c);
	smtpd_connection_run(c, session_queue_answer(c->session, status));
}

static uint64_t
services_room(void *arg)
{
	const struct smtpd_connection *c = arg;
	const struct message_room *report = &c->submission->room;

	if (report->is_full)
		return 0;
	return report->file_bytes > MESSAGE_CONTENT_MAX ? report->file_bytes : MESSAGE_CONTENT_MAX;
}

static bool
services_is_failing(void *arg)
{
	const struct smtpd_connection *c = arg;

	return c->submission->room.is_failing;
}

static bool
services_take_token(void *arg, struct str user)
{
	struct smtpd_connection *c = arg;

	if (!limit_tokens_take(c->submission->tokens, user))
		return false;
	hold_limit_token(c);
	return true;
}

static bool
services_ask_token(void *arg, struct str user)
{
	struct smtpd_connection *c = arg;

	c->token.fn = on_limit_token;
	c->token.arg = c;
	return limit_tokens_wait(c->submission->tokens, user, &c->token);
}

static void
services_return_tokens(void *arg, struct str user, uint32_t count)
{
	struct smtpd_connection *c = arg;

	limit_tokens_cancel(&c->token);
	limit_tokens_return(c->submission->tokens, user, drop_held_tokens(c, count));
}

static void
services_spend_tokens(void *arg, struct str user, uint32_t count)
{
	struct smtpd_connection *c = arg;

	limit_tokens_spend(c->submission->tokens, user, drop_held_tokens(c, count));
}

/* Files in use are bounded by the number of sessions, and by the queue, which opens them. */
static bool
services_may_open_file(void *arg)
{
	const struct submission *submission = ((struct smtpd_connection *)arg)->submission;

	return async_io_closing(submission->disk) <
	       conf_submission_closing_max(submission->role->conf);
}

static bool
services_open_file(void *arg, const struct message_spool_file *m)
{
	struct smtpd_connection *c = arg;

	c->file_of = (struct msgid){m->session, m->number};
	return services_ask(c, c->submission->queue, MESSAGE_SPOOL_FILE, m, on_spool_file_answer);
}

static bool
services_commit(void *arg, const struct message_commit *m)
{
	struct smtpd_connection *c = arg;
	bool is_asked = services_ask(c, c->submission->queue, MESSAGE_COMMIT, m, on_queue_answer);

	async_io_file_drop(&c->file);
	return is_asked;
}

static void
services_release(void *arg, const struct message_release *m)
{
	struct smtpd_connection *c = arg;

	request_cancel(&c->request);
	async_io_file_drop(&c->file);
	if (c->submission->queue)
		(void)!channel_send(c->submission->queue, MESSAGE_RELEASE, m, -1);
}

static void
services_log_write_error(
    const struct smtpd_connection *c, int error, const struct smtp_status *fault)
{
	const char *advice = fsio_is_full(error) ? "make room on the disk of queue.directory"
	                                         : "look at the disk of queue.directory";
	struct log_line l;

	log_begin(&l, LOG_ERR, "body not written");
	log_id(&l, c->file_of, 0);
	log_user(&l, "user", session_user(c->session));
	log_str(&l, "client", str_of(c->client));
	log_num(&l, "code", fault->code);
	log_quoted(&l, "error", str_of(error_text(error)));
	log_quoted(&l, "advice", str_of(advice));
	log_end(&l);
}

static void
on_content_written(int error, struct str bytes, void *arg)
{
	struct smtpd_connection *c = arg;
	struct smtp_status fault = smtp_status_not_stored(error);

	(void)bytes;
	if (error)
		services_log_write_error(c, error, &fault);
	smtpd_connection_run(c, session_written(c->session, error ? &fault : NULL));
}

static void
services_write_file(void *arg, uint64_t at, struct str bytes)
{
	struct smtpd_connection *c = arg;

	async_io_write(c->file, at, bytes, on_content_written, c);
}

static int64_t
services_disk_stalled_ms(void *arg)
{
	const struct smtpd_connection *c = arg;

	return async_io_stalled_ms(c->submission->disk);
}

static void
services_log_refused(void *arg, const struct session_refusal *r)
{
	struct smtpd_connection *c = arg;
	char enhanced[SMTP_STATUS_ENHANCED_BYTES];
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "refuse");
	log_id(&l, r->id, 0);
	log_str(&l, "stage", str_of(r->stage));
	log_str(&l, "reason", str_of(r->reason));
	log_num(&l, "code", r->status->code);
	log_str(&l, "dsn", str_of(smtp_status_enhanced(r->status, enhanced)));
	log_str(&l, "ip", str_of(c->client));
	if (r->mechanism[0])
		log_str(&l, "mech", str_of(r->mechanism));
	if (r->user.n > 0)
		log_user(&l, "user", r->user);
	if (strcmp(r->reason, "limit") == 0)
		log_quoted(&l, "limit", limit_tokens_limit(c->submission->tokens, r->user));
	if (r->sender.p)
		log_addr(&l, "from", r->sender);
	if (r->detail_key)
		log_addr(&l, r->detail_key, r->detail);
	if (r->size > 0) {
		log_num(&l, "size", (int64_t)r->size);
		log_num(&l, "room", (int64_t)r->room);
	}
	if (smtp_status_is_no_descriptors(r->status))
		log_quoted(&l, "error", str_of(error_text(EMFILE)));
	log_end(&l);
}

const struct session_services services_of_smtpd_connection = {
    .now_ms = services_now_ms,
    .mono_ms = services_mono_ms,
    .deadline = services_deadline,
    .has_unseen = services_has_unseen,
    .binding = services_binding,
    .start_tls = services_start_tls,
    .start_auth = services_start_auth,
    .step_auth = services_step_auth,
    .cancel_auth = services_cancel_auth,
    .room = services_room,
    .is_failing = services_is_failing,
    .take_token = services_take_token,
    .ask_token = services_ask_token,
    .return_tokens = services_return_tokens,
    .spend_tokens = services_spend_tokens,
    .may_open_file = services_may_open_file,
    .open_file = services_open_file,
    .commit = services_commit,
    .release = services_release,
    .write_file = services_write_file,
    .disk_stalled_ms = services_disk_stalled_ms,
    .refused = services_log_refused,
};

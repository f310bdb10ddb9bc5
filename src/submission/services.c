/*
 * services: what a session asks, on the channels of this process and on its stream.  An answer
 * comes through the loop and goes on with the session that asked.
 */
#include "submission/services.h"

#include <string.h>

#include "base/clock.h"
#include "base/fsio.h"
#include "base/log.h"
#include "conf/descriptors.h"
#include "submission/smtpd_connection.h"

/* ---- answers ---- */

static void
on_auth(enum request_end end, const struct packet *p, void *arg)
{
	struct connection *c = arg;

	(void)end;
	connection_run(c, session_auth_answer(c->session, p ? &p->message->auth_answer : NULL));
}

static void
on_verdict(enum request_end end, const struct packet *p, void *arg)
{
	struct connection *c = arg;

	(void)end;
	connection_run(c, session_verdict(c->session, p ? &p->message->verdict.status : NULL));
}

static void
on_file(enum request_end end, const struct packet *p, void *arg)
{
	struct connection *c = arg;
	const struct status *verdict = p ? &p->message->verdict.status : NULL;

	(void)end;
	disk_file_drop(&c->file);
	if (p && p->fd >= 0)
		c->file = disk_file_new(c->gate->disk, p->fd, c->file_of);
	/* yes without a file is no answer */
	if (verdict && status_is_ok(verdict) && !c->file)
		verdict = NULL;
	connection_run(c, session_verdict(c->session, verdict));
}

/* False: there is nobody to ask now. */
static bool
ask(struct connection *c, struct channel *to, enum message_type type, const void *m, request_fn *fn)
{
	if (!to)
		return false;
	request_init(&c->request, fn, c);
	request_ask(&c->request, to, type, m);
	return true;
}

/* ---- services ---- */

static int64_t
now_ms(void *arg)
{
	(void)arg;
	return clock_ms();
}

static int64_t
mono_ms(void *arg)
{
	(void)arg;
	return clock_mono_ms();
}

static void
deadline(void *arg, int64_t at_ms)
{
	struct connection *c = arg;

	stream_deadline(c->stream, at_ms);
}

static bool
has_unseen(void *arg)
{
	struct connection *c = arg;

	return stream_has_unseen(c->stream);
}

static bool
start_tls(void *arg)
{
	struct connection *c = arg;

	c->wants_tls = c->gate->tls != NULL;
	return c->wants_tls;
}

static bool
binding(void *arg, unsigned char out[SESSION_BINDING_BYTES])
{
	struct connection *c = arg;

	return stream_tls_exporter(c->stream, out);
}

static bool
start_auth(void *arg, const struct message_auth_start *m)
{
	struct connection *c = arg;

	return ask(c, c->gate->auth, MESSAGE_AUTH_START, m, on_auth);
}

static bool
step_auth(void *arg, const struct message_auth_step *m)
{
	struct connection *c = arg;

	return ask(c, c->gate->auth, MESSAGE_AUTH_STEP, m, on_auth);
}

static void
cancel_auth(void *arg, const struct message_auth_cancel *m)
{
	struct connection *c = arg;

	request_cancel(&c->request);
	if (c->gate->auth)
		(void)!channel_send(c->gate->auth, MESSAGE_AUTH_CANCEL, m, -1);
}

/* One more of the present queue's tokens; those of a lost one are void. */
static void
hold_token(struct connection *c)
{
	unsigned now = tokens_generation(c->gate->tokens);

	if (c->token_generation != now)
		c->tokens_held = 0;
	c->token_generation = now;
	c->tokens_held++;
}

/* How many of the tokens that the session gives up are the present queue's. */
static uint32_t
drop_tokens(struct connection *c, uint32_t count)
{
	bool is_void = c->token_generation != tokens_generation(c->gate->tokens);

	if (is_void || c->tokens_held < count)
		count = is_void ? 0 : c->tokens_held;
	c->tokens_held -= is_void ? c->tokens_held : count;
	return count;
}

static void
on_token(const struct status *status, void *arg)
{
	struct connection *c = arg;

	if (status && status_is_ok(status))
		hold_token(c);
	connection_run(c, session_verdict(c->session, status));
}

static uint64_t
room(void *arg)
{
	const struct connection *c = arg;
	const struct message_room *told = &c->gate->room;

	if (told->is_full)
		return 0;
	return told->file_bytes > MESSAGE_CONTENT_MAX ? told->file_bytes : MESSAGE_CONTENT_MAX;
}

static bool
is_failing(void *arg)
{
	const struct connection *c = arg;

	return c->gate->room.is_failing;
}

static bool
take_token(void *arg, struct str user)
{
	struct connection *c = arg;

	if (!tokens_take(c->gate->tokens, user))
		return false;
	hold_token(c);
	return true;
}

static bool
ask_token(void *arg, struct str user)
{
	struct connection *c = arg;

	c->token.fn = on_token;
	c->token.arg = c;
	return tokens_wait(c->gate->tokens, user, &c->token);
}

static void
return_tokens(void *arg, struct str user, uint32_t count)
{
	struct connection *c = arg;

	tokens_cancel(&c->token);
	tokens_return(c->gate->tokens, user, drop_tokens(c, count));
}

static void
spend_tokens(void *arg, struct str user, uint32_t count)
{
	struct connection *c = arg;

	tokens_spend(c->gate->tokens, user, drop_tokens(c, count));
}

/* Those that are in use are bounded by the sessions, and by the queue, which gives them. */
static bool
may_open_file(void *arg)
{
	const struct gate *g = ((struct connection *)arg)->gate;

	return disk_closing(g->disk) < conf_closing_of_submission(g->role->conf);
}

static bool
open_file(void *arg, const struct message_spool_file *m)
{
	struct connection *c = arg;

	c->file_of = (struct msgid){m->session, m->number};
	return ask(c, c->gate->queue, MESSAGE_SPOOL_FILE, m, on_file);
}

static bool
commit(void *arg, const struct message_commit *m)
{
	struct connection *c = arg;
	bool is_asked = ask(c, c->gate->queue, MESSAGE_COMMIT, m, on_verdict);

	disk_file_drop(&c->file);
	return is_asked;
}

static void
release(void *arg, const struct message_release *m)
{
	struct connection *c = arg;

	request_cancel(&c->request);
	disk_file_drop(&c->file);
	if (c->gate->queue)
		(void)!channel_send(c->gate->queue, MESSAGE_RELEASE, m, -1);
}

static void
services_log_unwritten(const struct connection *c, int error, const struct status *fault)
{
	const char *advice = fsio_is_full(error) ? "make room on the disk of queue.directory"
	                                         : "look at the disk of queue.directory";
	struct log_line l;

	log_begin(&l, LOG_ERR, "body not written");
	log_id(&l, c->file_of, 0);
	log_user(&l, "user", session_user(c->session));
	log_str(&l, "client", str_of(c->client));
	log_num(&l, "code", fault->code);
	log_quoted(&l, "error", str_of(strerror(error)));
	log_quoted(&l, "advice", str_of(advice));
	log_end(&l);
}

static void
on_written(int error, struct str bytes, void *arg)
{
	struct connection *c = arg;
	struct status fault = status_not_stored(error);

	(void)bytes;
	if (error)
		services_log_unwritten(c, error, &fault);
	connection_run(c, session_written(c->session, error ? &fault : NULL));
}

static void
write_file(void *arg, uint64_t at, struct str bytes)
{
	struct connection *c = arg;

	disk_write(c->file, at, bytes, on_written, c);
}

static int64_t
disk_stands_ms(void *arg)
{
	const struct connection *c = arg;

	return disk_stalled_ms(c->gate->disk);
}

static void
refused(void *arg, const struct session_refusal *r)
{
	struct connection *c = arg;
	char enhanced[STATUS_ENHANCED_BYTES];
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "refuse");
	log_id(&l, r->id, 0);
	log_str(&l, "stage", str_of(r->stage));
	log_str(&l, "reason", str_of(r->reason));
	log_num(&l, "code", r->status->code);
	log_str(&l, "dsn", str_of(status_enhanced(r->status, enhanced)));
	log_str(&l, "ip", str_of(c->client));
	if (r->mechanism[0])
		log_str(&l, "mech", str_of(r->mechanism));
	if (r->user.n > 0)
		log_user(&l, "user", r->user);
	if (strcmp(r->reason, "limit") == 0)
		log_quoted(&l, "limit", tokens_limit(c->gate->tokens, r->user));
	if (r->sender.p)
		log_addr(&l, "from", r->sender);
	if (r->what)
		log_addr(&l, r->what, r->words);
	if (r->size > 0) {
		log_num(&l, "size", (int64_t)r->size);
		log_num(&l, "room", (int64_t)r->room);
	}
	log_end(&l);
}

const struct session_services services_of_connection = {
    .now_ms = now_ms,
    .mono_ms = mono_ms,
    .deadline = deadline,
    .has_unseen = has_unseen,
    .binding = binding,
    .start_tls = start_tls,
    .start_auth = start_auth,
    .step_auth = step_auth,
    .cancel_auth = cancel_auth,
    .room = room,
    .is_failing = is_failing,
    .take_token = take_token,
    .ask_token = ask_token,
    .return_tokens = return_tokens,
    .spend_tokens = spend_tokens,
    .may_open_file = may_open_file,
    .open_file = open_file,
    .commit = commit,
    .release = release,
    .write_file = write_file,
    .disk_stands_ms = disk_stands_ms,
    .refused = refused,
};

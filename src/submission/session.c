/*
 * session: the verb table, and the states with their timeouts. A state selects the function that
 * reads the next bytes; the table selects the handler of a command; handlers never ask for the
 * state.
 */
#include "submission/session.h"

#include "base/mem.h"
#include "base/metrics.h"
#include "ipc/questions.h"
#include "mail/smtp_command.h"
#include "submission/bdat.h"
#include "submission/content_input.h"
#include "submission/hello.h"
#include "submission/smtpd_auth.h"
#include "submission/smtpd_data.h"
#include "submission/smtpd_line.h"
#include "submission/smtpd_transaction.h"
#include "submission/stages.h"

enum { BAD_COMMANDS_MAX = 20, OUT_MAX = 1 << 20, NAME_MAX_BYTES = 2048 };

enum {
	ON_TLS = AT(STATE_TLS) | AT(STATE_EHLO),
	IN_TRANSACTION = AT(STATE_MAIL) | AT(STATE_RCPT) | AT(STATE_BDAT_NEXT),
	LOGGED_IN = AT(STATE_LOGGED_IN) | IN_TRANSACTION,
	ANYTIME = AT(STATE_PLAIN) | ON_TLS | LOGGED_IN,
};

struct session_verb {
	const char *name;
	unsigned states_allowed;
	session_verb_fn *handler; /* NULL: 503 with refusal_text */
	const char *refusal_text;
};

/* clang-format off */
static const struct session_verb verbs[] = {
    /* name       states allowed           handler, or why not */
    {"MAIL",     AT(STATE_LOGGED_IN),         smtpd_transaction_mail, NULL},
    {"MAIL",     IN_TRANSACTION,                   NULL, "a transaction is open"},
    {"RCPT",     AT(STATE_MAIL) | AT(STATE_RCPT), smtpd_transaction_rcpt, NULL},
    {"RCPT",     AT(STATE_LOGGED_IN),         NULL, "MAIL comes first"},
    {"RCPT",     AT(STATE_BDAT_NEXT),          NULL, "the content of a message has begun"},
    {"DATA",     AT(STATE_RCPT),           smtpd_data_command, NULL},
    {"DATA",     AT(STATE_LOGGED_IN),         NULL, "MAIL comes first"},
    {"DATA",     AT(STATE_MAIL),          NULL, "RCPT comes first"},
    {"DATA",     AT(STATE_BDAT_NEXT),          NULL, "DATA and BDAT do not mix"},
    {"BDAT",     AT(STATE_RCPT) | AT(STATE_BDAT_NEXT), bdat_command, NULL},
    {"BDAT",     ANYTIME,                   bdat_discard_command, "MAIL and RCPT come first"},
    {"RSET",     ANYTIME,                   smtpd_transaction_rset, NULL},
    {"QUIT",     ANYTIME,                   hello_quit, NULL},
    {"NOOP",     ANYTIME,                   hello_noop, NULL},
    {"EHLO",     ANYTIME,                   hello_ehlo, NULL},
    {"HELO",     ANYTIME,                   hello_helo, NULL},
    {"AUTH",     AT(STATE_EHLO),          smtpd_auth_command, NULL},
    {"AUTH",     AT(STATE_TLS),           NULL, "EHLO comes first"},
    {"AUTH",     AT(STATE_LOGGED_IN),         NULL, "the session is authenticated already"},
    {"AUTH",     IN_TRANSACTION,                   NULL, "not within a transaction"},
    {"STARTTLS", AT(STATE_PLAIN),           hello_starttls, NULL},
    {"STARTTLS", ON_TLS | LOGGED_IN,        NULL, "TLS is active already"},
    {"HELP",     ANYTIME,                   hello_help, NULL},
    {"VRFY",     LOGGED_IN,                 hello_vrfy, NULL},
    {"EXPN",     LOGGED_IN,                 hello_unimplemented, NULL},
    {"BURL",     LOGGED_IN,                 hello_unimplemented, NULL},
    {"ETRN",     LOGGED_IN,                 hello_unimplemented, NULL},
    {"TURN",     LOGGED_IN,                 hello_unimplemented, NULL},
    {"SEND",     LOGGED_IN,                 hello_unimplemented, NULL},
    {"SOML",     LOGGED_IN,                 hello_unimplemented, NULL},
    {"SAML",     LOGGED_IN,                 hello_unimplemented, NULL},
    {"GET",      ANYTIME,                   hello_http, NULL},
    {"POST",     ANYTIME,                   hello_http, NULL},
    {"PUT",      ANYTIME,                   hello_http, NULL},
    {"HEAD",     ANYTIME,                   hello_http, NULL},
    {"OPTIONS",  ANYTIME,                   hello_http, NULL},
    {"CONNECT",  ANYTIME,                   hello_http, NULL},
    {"DELETE",   ANYTIME,                   hello_http, NULL},
    {"PATCH",    ANYTIME,                   hello_http, NULL},
    {"TRACE",    ANYTIME,                   hello_http, NULL},
};
/* clang-format on */

/* ---- states ---- */

enum session_timeout {
	TIMEOUT_LOGIN,
	TIMEOUT_COMMAND,
	TIMEOUT_MESSAGE,
	TIMEOUT_BDAT_NEXT,
	TIMEOUT_WRITING,
	TIMEOUT_STAGE
};

static session_read_fn read_nothing;

static const struct {
	session_read_fn *read;
	enum session_timeout timeout;
	const char *refusal_text; /* 530 for a verb that is not allowed in this state */
} states[STATE_STATES] = {
    [STATE_HANDSHAKE] = {read_nothing, TIMEOUT_LOGIN, NULL},
    [STATE_PLAIN] = {smtpd_line_read, TIMEOUT_LOGIN, "Must issue a STARTTLS command first"},
    [STATE_TLS] = {smtpd_line_read, TIMEOUT_LOGIN, "Authentication required"},
    [STATE_EHLO] = {smtpd_line_read, TIMEOUT_LOGIN, "Authentication required"},
    [STATE_AUTH] = {smtpd_line_read, TIMEOUT_LOGIN, NULL},
    [STATE_LOGGED_IN] = {smtpd_line_read, TIMEOUT_COMMAND, NULL},
    [STATE_MAIL] = {smtpd_line_read, TIMEOUT_COMMAND, NULL},
    [STATE_RCPT] = {smtpd_line_read, TIMEOUT_COMMAND, NULL},
    [STATE_DATA] = {smtpd_data_read, TIMEOUT_MESSAGE, NULL},
    [STATE_BDAT] = {bdat_read, TIMEOUT_MESSAGE, NULL},
    [STATE_BDAT_NEXT] = {smtpd_line_read, TIMEOUT_BDAT_NEXT, NULL},
    [STATE_WRITING] = {read_nothing, TIMEOUT_WRITING, NULL},
    [STATE_BDAT_DISCARD] = {bdat_read_discarded, TIMEOUT_MESSAGE, NULL},
    [STATE_STAGES] = {read_nothing, TIMEOUT_STAGE, NULL},
};

static int64_t
earlier_deadline(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
state_deadline(const struct session *s, int64_t now)
{
	int64_t idle = now + s->conf->submission.idle_timeout_ms;

	switch (states[s->state].timeout) {
	case TIMEOUT_COMMAND:
		return idle;
	case TIMEOUT_MESSAGE:
		return session_has_login(s)
		           ? s->message_deadline_ms
		           : earlier_deadline(s->login_deadline_ms, s->message_deadline_ms);
	case TIMEOUT_BDAT_NEXT:
		return earlier_deadline(idle, s->message_deadline_ms);
	case TIMEOUT_WRITING:
		return now + CONTENT_INPUT_WRITING_MS;
	case TIMEOUT_STAGE:
		return now + stage_run_wait_ms(&s->transaction.stages);
	case TIMEOUT_LOGIN:
		break;
	}
	return s->login_deadline_ms;
}

void
session_enter(struct session *s, enum session_state state)
{
	s->state = state;
	s->services->deadline(s->arg, state_deadline(s, s->services->mono_ms(s->arg)));
}

bool
session_has_login(const struct session *s)
{
	return s->user.n > 0;
}

enum session_state
session_idle_state(const struct session *s)
{
	if (session_has_login(s))
		return STATE_LOGGED_IN;
	if (!s->is_secure)
		return STATE_PLAIN;
	return s->helo.n > 0 ? STATE_EHLO : STATE_TLS;
}

/* ---- replies ---- */

enum session_step
session_reply(struct session *s, const struct smtp_status *status)
{
	smtp_status_reply(status, &s->out);
	return SESSION_NEXT;
}

enum session_step
session_reply_close(struct session *s, const char *reason, const struct smtp_status *status)
{
	session_reply(s, status);
	s->reason = reason;
	return SESSION_CLOSE;
}

/* Errors of the protocol; a refused address or message is none. */
static bool
is_bad_command(const struct smtp_status *status)
{
	return (status->code >= 500 && status->code < 535) || status->code == 555;
}

static void
log_session_refusal(struct session *s, const struct session_refusal *r)
{
	if (s->logged_reason == r->reason && s->logged_stage == r->stage &&
	    s->logged_number == r->id.number)
		return;
	s->logged_reason = r->reason;
	s->logged_stage = r->stage;
	s->logged_number = r->id.number;
	s->services->refused(s->arg, r);
}

enum session_step
session_refuse_with_detail(struct session *s, const char *stage, const char *reason,
    const struct smtp_status *status, struct session_detail detail)
{
	bool is_mailing = s->state >= STATE_MAIL || strcmp(stage, "mail") == 0;
	struct session_refusal r = {
	    .id = {s->id, is_mailing ? s->number : 0},
	    .stage = stage,
	    .reason = reason,
	    .status = status,
	    .mechanism = strcmp(stage, "auth") == 0 ? s->mechanism : "",
	    .user = buf_str(&s->user),
	    .sender = s->transaction.sender,
	    .detail_key = detail.key,
	    .detail = detail.value,
	    .size = detail.size,
	    .room = detail.room,
	};
	struct smtp_status closing;

	s->counts.refused++;
	session_count_refusal(stage, status);
	log_session_refusal(s, &r);
	session_reply(s, status);
	if (!is_bad_command(status) || ++s->bad_commands < BAD_COMMANDS_MAX)
		return SESSION_NEXT;
	closing = smtp_status_make(421, "4.7.0", "Too many errors");
	return session_reply_close(s, "errors", &closing);
}

enum session_step
session_refuse(
    struct session *s, const char *stage, const char *reason, const struct smtp_status *status)
{
	return session_refuse_with_detail(
	    s, stage, reason, status, (struct session_detail){.key = NULL});
}

/* ---- commands ---- */

/* The row for this verb in this state, or another row of that name, or NULL. */
static const struct session_verb *
find_session_verb(struct str name, enum session_state state)
{
	const struct session_verb *found = NULL;

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (!str_ieq(name, str_of(verbs[i].name)))
			continue;
		found = &verbs[i];
		if (found->states_allowed & AT(state))
			break;
	}
	return found;
}

static enum session_step
refuse_out_of_order(struct session *s, const struct session_verb *v)
{
	struct smtp_status status;

	if (!(v->states_allowed & AT(s->state)) || (v->handler && states[s->state].refusal_text))
		status = smtp_status_make(530, "5.7.0", "%s", states[s->state].refusal_text);
	else
		status =
		    smtp_status_make(503, "5.5.1", "Bad sequence of commands: %s", v->refusal_text);
	return session_refuse(
	    s, "command", status.code == 530 ? "not_allowed_yet" : "out_of_order", &status);
}

enum session_step
session_command(struct session *s, struct str line)
{
	struct smtp_status status;
	struct str verb, args;
	const struct session_verb *v;

	if (!smtp_command_split(line, &verb, &args)) {
		status = smtp_status_make(500, "5.5.2", "Syntax error");
		return session_refuse(s, "command", "syntax", &status);
	}
	v = find_session_verb(verb, s->state);
	if (!v) {
		status = smtp_status_make(500, "5.5.1", "Command unrecognized");
		return session_refuse(s, "command", "unknown_command", &status);
	}
	metrics_work_id(v->name, (struct msgid){s->id, 0});
	if (!(v->states_allowed & AT(s->state)) || !v->handler)
		return refuse_out_of_order(s, v);
	return v->handler(s, args);
}

enum session_step
session_out_of_order(struct session *s, const char *name)
{
	return refuse_out_of_order(s, find_session_verb(str_of(name), s->state));
}

/* ---- input ---- */

static enum session_step
read_nothing(struct session *s, struct str in, size_t *used_out)
{
	(void)s;
	(void)in;
	*used_out = 0;
	return SESSION_WAIT;
}

/* The states in which a stopping server completes a message. */
enum {
	STATES_OF_MESSAGE = AT(STATE_DATA) | AT(STATE_BDAT) | AT(STATE_BDAT_NEXT) |
	                    AT(STATE_WRITING) | AT(STATE_STAGES),
};

/* Closes the session of a stopping server after the last reply to its message. */
static enum session_step
close_if_stopping(struct session *s, enum session_step step)
{
	if (s->is_stopping && step == SESSION_NEXT && !(STATES_OF_MESSAGE & AT(s->state)))
		return session_stop(s);
	return step;
}

/* Each complete line starts the timeout of its state again; single bytes do not. */
enum session_step
session_take(struct session *s, struct str in, size_t *used_out)
{
	enum session_step step;

	*used_out = 0;
	s->had_secret = false;
	if (in.n == 0)
		return SESSION_NEXT;
	step = states[s->state].read(s, in, used_out);
	if (step != SESSION_CLOSE && *used_out > 0 && s->discarded_bytes == 0 &&
	    states[s->state].read == smtpd_line_read)
		session_enter(s, s->state);
	return close_if_stopping(s, step);
}

/* A wait has ended with this step: the reader of the state continues before it has more input. */
static enum session_step
continue_after(struct session *s, enum session_step step)
{
	size_t used;

	if (step == SESSION_NEXT)
		step = states[s->state].read(s, STR_NULL, &used);
	return close_if_stopping(s, step);
}

/* ---- events ---- */

enum session_step
session_begin(struct session *s)
{
	if (s->state == STATE_HANDSHAKE) {
		session_enter(s, STATE_HANDSHAKE);
		return SESSION_WAIT;
	}
	session_enter(s, STATE_PLAIN);
	return hello_greet(s);
}

struct smtp_status
session_queue_lost(void)
{
	return smtp_status_make(451, "4.3.0", "Queue is not available, try again later");
}

enum session_step
session_queue_answer(struct session *s, const struct smtp_status *answer)
{
	session_answer_fn *on_answer = s->on_answer;
	struct smtp_status lost;

	if (!answer) {
		lost = session_queue_lost();
		answer = &lost;
	}
	if (!on_answer)
		return continue_after(s, stages_answered(s, answer));
	s->on_answer = NULL;
	return continue_after(s, on_answer(s, answer));
}

/* WAIT while an answer is due. */
static enum session_step
session_wait_step(const struct session *s)
{
	return s->on_answer || states[s->state].read == read_nothing ? SESSION_WAIT : SESSION_NEXT;
}

enum session_step
session_written(struct session *s, const struct smtp_status *fault)
{
	content_input_written(s, fault);
	if (s->state != STATE_WRITING)
		return session_wait_step(s);
	content_input_resume(s);
	return continue_after(s, SESSION_NEXT);
}

enum session_step
session_expired(struct session *s)
{
	struct smtp_status status = smtp_status_make(
	    421, "4.4.2", "%s", session_has_login(s) ? "Timed out" : "Login timed out");

	if (s->state == STATE_WRITING) {
		if (!content_input_fails_late(s))
			return SESSION_WAIT;
		content_input_resume(s);
		return continue_after(s, SESSION_NEXT);
	}
	if (s->state == STATE_HANDSHAKE) {
		s->reason = "timeout";
		return SESSION_CLOSE;
	}
	stages_cancel(s);
	return session_reply_close(s, "timeout", &status);
}

enum session_step
session_stop(struct session *s)
{
	struct smtp_status status = smtp_status_make(421, "4.3.2", "Service is shutting down");
	bool may_finish = !s->is_stopping;

	s->is_stopping = true;
	if (may_finish && (STATES_OF_MESSAGE & AT(s->state)))
		return session_wait_step(s);
	if (s->state == STATE_HANDSHAKE) {
		s->reason = "shutdown";
		return SESSION_CLOSE;
	}
	return session_reply_close(s, "shutdown", &status);
}

enum session_step
session_user_gone(struct session *s)
{
	struct smtp_status status = smtp_status_make(
	    421, "4.7.0", "Your account was suspended or removed; ask your administrator");

	return session_reply_close(s, "user_gone", &status);
}

/* ---- lifetime ---- */

struct session *
session_new(const struct session_setup *setup)
{
	struct session *s = MEM_NEW(struct session);

	s->services = setup->services;
	s->arg = setup->arg;
	s->stages = stages_of_submission;
	s->conf = conf_keep(setup->conf);
	s->id = setup->id;
	s->client = setup->client;
	s->port = setup->port;
	s->may_tls = setup->may_tls;
	s->state = setup->is_implicit_tls ? STATE_HANDSHAKE : STATE_PLAIN;
	s->reason = "closed";
	s->login_deadline_ms = s->services->mono_ms(s->arg) + s->conf->submission.login_timeout_ms;
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->helo, NAME_MAX_BYTES);
	buf_init(&s->user, NAME_MAX_BYTES);
	smtpd_transaction_init(s);
	return s;
}

void
session_free(struct session **s)
{
	struct session *session = *s;

	if (!session)
		return;
	*s = NULL;
	session->on_answer = NULL;
	smtpd_auth_cancel(session);
	stages_cancel(session);
	smtpd_transaction_forget(session);
	buf_clear(&session->out);
	buf_clear(&session->helo);
	buf_clear(&session->user);
	conf_drop(&session->conf);
	mem_free(session);
}

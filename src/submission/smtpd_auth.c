/*
 * smtpd_auth: auth implements the mechanisms; here lines are decoded and encoded, strictly. A
 * buffer that may hold a password is wiped as soon as it is passed on.
 */
#include "submission/smtpd_auth.h"

#include "base/encode.h"
#include "base/mem.h"
#include "mail/smtp_command.h"

enum { AUTH_FAILURES_MAX = 5, SECRET_MAX = SMTP_COMMAND_AUTH_LINE_MAX };

static void
wipe_auth_response(struct buf *secret)
{
	if (secret->p)
		mem_wipe(secret->p, secret->cap);
	buf_clear(secret);
}

bool
smtpd_auth_is_offered(const struct session *s, struct str mechanism)
{
	const struct conf_strs *all = &s->conf->auth.mechanisms;

	if (str_iends(mechanism, STR("-PLUS")) && !s->has_binding)
		return false;
	for (size_t i = 0; i < all->count; i++)
		if (str_ieq(all->str[i], mechanism))
			return true;
	return false;
}

void
smtpd_auth_cancel(struct session *s)
{
	struct message_auth_cancel m = {s->id};

	if (!s->is_auth_asked)
		return;
	s->is_auth_asked = false;
	s->services->cancel_auth(s->arg, &m);
}

/* Ends the exchange with this refusal. */
static enum session_step
give_up_auth(struct session *s, const char *reason, const struct smtp_status *status)
{
	enum session_step step;

	smtpd_auth_cancel(s);
	session_enter(s, session_idle_state(s));
	step = session_refuse(s, "auth", reason, status);
	s->mechanism[0] = '\0';
	return step;
}

static enum session_step
refuse_auth_unavailable(struct session *s)
{
	struct smtp_status status =
	    smtp_status_make(454, "4.7.0", "Temporary authentication failure");

	return give_up_auth(s, "auth_unavailable", &status);
}

static enum session_step
refuse_bad_base64(struct session *s)
{
	struct smtp_status status = smtp_status_make(501, "5.5.2", "Not valid base64");

	return give_up_auth(s, "bad_base64", &status);
}

struct smtp_status
smtpd_auth_line_too_long(void)
{
	return smtp_status_make(500, "5.5.6", "Authentication exchange line is too long");
}

enum session_step
smtpd_auth_refuse_long_line(struct session *s)
{
	struct smtp_status status = smtpd_auth_line_too_long();

	return give_up_auth(s, "line_too_long", &status);
}

/* ---- requests to auth ---- */

/* Only SCRAM uses it, and its derivation costs as much as a few TLS records: not done for
 * others. */
static struct str
channel_binding_of(const struct session *s, unsigned char buffer[SESSION_BINDING_BYTES])
{
	if (!s->has_binding || strncmp(s->mechanism, "SCRAM-", 6) != 0 ||
	    !s->services->binding(s->arg, buffer))
		return STR("");
	return str_make((const char *)buffer, SESSION_BINDING_BYTES);
}

/* response: decoded; p NULL: none yet. */
static enum session_step
start_auth_exchange(struct session *s, struct str response, bool has_response)
{
	unsigned char buffer[SESSION_BINDING_BYTES];
	struct message_auth_start m = {
	    .session = s->id,
	    .mechanism = str_of(s->mechanism),
	    .has_initial = has_response,
	    .initial = response,
	    .client = str_of(s->client),
	    .binding = channel_binding_of(s, buffer),
	    .port = s->port,
	    .tls = str_of(s->tls),
	    .hostname = s->conf->hostname,
	};

	if (!s->services->start_auth(s->arg, &m))
		return refuse_auth_unavailable(s);
	s->is_auth_asked = true;
	s->is_auth_begun = true;
	return SESSION_WAIT;
}

static enum session_step
continue_auth(struct session *s, struct str response)
{
	struct message_auth_step m = {s->id, response};

	if (!s->is_auth_begun)
		return start_auth_exchange(s, response, true);
	if (!s->services->step_auth(s->arg, &m))
		return refuse_auth_unavailable(s);
	return SESSION_WAIT;
}

static enum session_step
decode_auth_response(
    struct session *s, struct str base64, enum session_step (*use)(struct session *, struct str))
{
	enum session_step step;
	struct buf secret;

	s->had_secret = true;
	buf_init(&secret, SECRET_MAX);
	step = decode_base64(&secret, base64) ? use(s, buf_str(&secret)) : refuse_bad_base64(s);
	wipe_auth_response(&secret);
	return step;
}

/* In all mechanisms but LOGIN the client sends the first message: it is requested without asking
 * auth. */
static bool
is_client_first_mechanism(const struct session *s)
{
	return strcmp(s->mechanism, "LOGIN") != 0;
}

static void
set_auth_mechanism(struct session *s, struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		s->mechanism[i] = char_is_alpha(name.p[i]) ? (char)(name.p[i] & ~0x20) : name.p[i];
	s->mechanism[name.n] = '\0';
}

enum session_step
smtpd_auth_command(struct session *s, struct str args)
{
	struct smtp_command_auth auth;
	struct smtp_status status = smtp_command_parse_auth(args, &auth);

	if (status.code != 250)
		return session_refuse(s, "auth", "parameters", &status);
	if (!smtpd_auth_is_offered(s, auth.mechanism) || auth.mechanism.n >= sizeof s->mechanism) {
		status = smtp_status_make(504, "5.5.4", "Mechanism not offered");
		return session_refuse(s, "auth", "unknown_mechanism", &status);
	}
	set_auth_mechanism(s, auth.mechanism);
	s->is_auth_begun = false;
	session_enter(s, STATE_AUTH);
	if (auth.has_initial)
		return decode_auth_response(s, auth.initial, continue_auth);
	if (!is_client_first_mechanism(s))
		return start_auth_exchange(s, STR_NULL, false);
	buf_addz(&s->out, "334 \r\n");
	return SESSION_NEXT;
}

enum session_step
smtpd_auth_response(struct session *s, struct str line)
{
	struct smtp_status status = smtp_status_make(501, "5.7.0", "Authentication cancelled");

	line = str_trim(line);
	if (str_eq(line, STR("*")))
		return give_up_auth(s, "cancelled", &status);
	return decode_auth_response(s, line, continue_auth);
}

/* ---- answers of auth ---- */

static enum session_step
send_auth_challenge(struct session *s, struct str challenge)
{
	buf_addz(&s->out, "334 ");
	encode_base64(&s->out, challenge);
	buf_addz(&s->out, "\r\n");
	return SESSION_NEXT;
}

static enum session_step
accept_auth(struct session *s, const struct message_auth_answer *a)
{
	struct smtp_status status = smtp_status_make(235, "2.7.0", "Authentication succeeded");

	s->is_auth_asked = false;
	if (a->user.n == 0 || !buf_adds(&s->user, a->user)) {
		buf_reset(&s->user);
		return refuse_auth_unavailable(s);
	}
	s->mechanism[0] = '\0';
	session_enter(s, STATE_LOGGED_IN);
	return session_reply(s, &status);
}

static enum session_step
refuse_auth(struct session *s, const struct message_auth_answer *a)
{
	struct smtp_status closing = smtp_status_make(421, "4.7.0", "Too many failed logins");
	struct smtp_status status = a->status;

	s->is_auth_asked = false;
	if (!smtp_status_is_temporary(&status) && !smtp_status_is_permanent(&status))
		return refuse_auth_unavailable(s);
	s->mechanism[0] = '\0';
	session_enter(s, session_idle_state(s));
	s->counts.refused++;
	if (status.code == 421)
		return session_reply_close(s, "auth_refused", &status);
	session_reply(s, &status);
	/* a temporary failure is no wrong password */
	if (smtp_status_is_temporary(&status) || ++s->auth_failures < AUTH_FAILURES_MAX)
		return SESSION_NEXT;
	return session_reply_close(s, "auth_failures", &closing);
}

/* Auth writes the log line about the login, because it knows the reason. */
enum session_step
session_auth_answer(struct session *s, const struct message_auth_answer *a)
{
	if (!s->is_auth_asked)
		return SESSION_WAIT;
	if (!a) {
		s->is_auth_asked = false;
		return refuse_auth_unavailable(s);
	}
	switch ((enum auth_outcome)a->outcome) {
	case AUTH_CONTINUE:
		return send_auth_challenge(s, a->challenge);
	case AUTH_OK:
		return accept_auth(s, a);
	case AUTH_FAIL:
	case AUTH_TEMPFAIL:
	case AUTH_MALFORMED:
		break;
	}
	return refuse_auth(s, a);
}

/*
 * auth_result: each end writes its log line before it answers, and then ends the session; only the
 * answer to a wrong password is delayed, its log line is not. A test by an operator takes the same
 * way, but is not delayed, not counted as a failure and not noted as a login. Nothing here knows
 * how a mechanism works or what a back end stores.
 */
#include "auth/auth_result.h"

#include <stdio.h>
#include <string.h>

#include "auth/account_blocks.h"
#include "auth/auth_metrics.h"
#include "auth/guesses.h"
#include "base/log.h"
#include "base/mem.h"

enum { TEST_ROW_BYTES = 8192 };

/* A test by an operator has no client: no address stands there that could be blocked. */
static void
begin_auth_log(
    struct log_line *l, const struct auth_session *s, const char *event, int priority)
{
	log_begin(l, priority, event);
	if (s->is_test) {
		log_str(l, "id", STR("-"));
		log_str(l, "via", STR("test"));
		log_str(l, "by", s->tested_by);
		if (s->tested_for.n)
			log_quoted(l, "claim", s->tested_for);
		return;
	}
	log_id(l, (struct msgid){.session = s->id}, 0);
	log_str(l, "ip", s->client);
	log_num(l, "port", s->port);
}

static void
log_auth_failure(
    const struct auth_session *s, const char *event, const struct smtp_status *status)
{
	char code[SMTP_STATUS_ENHANCED_BYTES], reply[SMTP_STATUS_ENHANCED_BYTES + 8];
	struct log_line l;

	auth_metrics_count(s, s->reason);
	begin_auth_log(&l, s, event, LOG_NOTICE);
	/* This key has a fixed place before everything that the client chose, because other
	 * programs act on it. */
	if (strcmp(event, "auth fail") == 0)
		log_str(&l, "counted", s->is_counted ? STR("yes") : STR("no"));
	log_str(&l, "mech", str_of(s->mechanism ? s->mechanism->name : ""));
	log_str(&l, "reason", str_of(s->reason));
	if (status->code == 454)
		log_str(&l, "backend", str_of(broker_backend()->name));
	snprintf(reply, sizeof reply, "%u %s", status->code, smtp_status_enhanced(status, code));
	if (!s->is_test)
		log_quoted(&l, "reply", str_of(reply));
	log_user(&l, "user", claimed_name(&s->identity));
	log_end(&l);
}

static void
log_auth_success(const struct auth_session *s)
{
	struct log_line l;

	auth_metrics_count(s, "ok");
	begin_auth_log(&l, s, "auth ok", LOG_INFO);
	if (!s->is_test)
		log_str(&l, "tls", s->tls);
	log_str(&l, "mech", str_of(s->mechanism->name));
	log_str(&l, "backend", str_of(broker_backend()->name));
	log_user(&l, "user", claimed_name(&s->identity));
	log_end(&l);
}

static void
answer_auth_test(const struct auth_session *s, const struct message_auth_answer *m)
{
	static const char *const words[] = {"continue", "ok", "fail", "tempfail", "malformed"};
	static const uint8_t exits[] = {70, 0, 1, 75, 65};
	struct message_admin_done done = {.exit_code = exits[m->outcome], .text = STR("")};
	struct str user = claimed_name(&s->identity);
	const char *block = account_blocks_reason(s->broker, user);
	const char *word = words[m->outcome], *reason = s->reason ? s->reason : "none";
	struct message_admin_row row;
	struct buf values;

	if (m->outcome == AUTH_OK && block) {
		word = "blocked";
		reason = block;
		done.exit_code = exits[AUTH_FAIL];
	}
	buf_init(&values, TEST_ROW_BYTES);
	message_values_add(&values, "backend", str_of(broker_backend()->name));
	message_values_add(&values, "outcome", str_of(word));
	message_values_add(&values, "reason", str_of(reason));
	account_blocks_add(s->broker, user, &values);
	row.values = buf_str(&values);
	(void)!channel_answer(s->channel, s->call, MESSAGE_ADMIN_ROW, &row, -1);
	(void)!channel_answer(s->channel, s->call, MESSAGE_ADMIN_DONE, &done, -1);
	buf_clear(&values);
}

static void
send_auth_answer(struct auth_session *s, const struct message_auth_answer *m)
{
	if (s->is_test)
		answer_auth_test(s, m);
	else if (s->call)
		(void)!channel_answer(s->channel, s->call, MESSAGE_AUTH_ANSWER, m, -1);
	s->call = 0;
}

void
auth_result_challenge(struct auth_session *s, enum auth_session_state next, struct str challenge)
{
	struct message_auth_answer m = {.outcome = AUTH_CONTINUE, .challenge = challenge,
	    .user = STR(""), .backend = STR("")};

	s->state = next;
	send_auth_answer(s, &m);
}

static void
answer_and_end_login(struct auth_session *s, enum auth_outcome outcome, struct smtp_status status)
{
	struct message_auth_answer m = {.outcome = (uint8_t)outcome, .status = status,
	    .challenge = STR(""), .user = STR(""), .backend = str_of(broker_backend()->name)};

	send_auth_answer(s, &m);
	auth_session_end(s);
}

void
auth_result_ok(struct auth_session *s, bool from_cache)
{
	struct message_auth_answer m = {.outcome = AUTH_OK, .challenge = STR(""),
	    .user = claimed_name(&s->identity), .backend = str_of(broker_backend()->name),
	    .from_cache = from_cache};

	m.status = smtp_status_make(235, "2.7.0", "Authentication succeeded");
	log_auth_success(s);
	if (!s->is_test) {
		guesses_note_success(s);
		last_logins_put(s->broker->last_logins, claimed_name(&s->identity), s->client,
		    str_of(s->mechanism->name));
	}
	send_auth_answer(s, &m);
	auth_session_end(s);
}

/* The answer is sent at once, without the delay after a wrong password. */
static void
end_login_at_once(struct auth_session *s, enum auth_outcome outcome, const char *reason,
    struct smtp_status status)
{
	s->reason = reason;
	log_auth_failure(s, outcome == AUTH_TEMPFAIL ? "auth tempfail" : "auth fail", &status);
	answer_and_end_login(s, outcome, status);
}

void
auth_result_tempfail(struct auth_session *s, const char *reason)
{
	end_login_at_once(s, AUTH_TEMPFAIL, reason,
	    smtp_status_make(454, "4.7.0", "Temporary authentication failure"));
}

void
auth_result_malformed(struct auth_session *s)
{
	end_login_at_once(s, AUTH_MALFORMED, "malformed",
	    smtp_status_make(501, "5.5.2", "Malformed authentication message"));
}

void
auth_result_cancelled(struct auth_session *s)
{
	struct log_line l;

	auth_metrics_count(s, "cancelled");
	begin_auth_log(&l, s, "auth cancelled", LOG_NOTICE);
	log_str(&l, "mech", str_of(s->mechanism->name));
	log_user(&l, "user", claimed_name(&s->identity));
	log_end(&l);
	auth_session_end(s);
}

void
auth_result_unknown_mechanism(struct auth_session *s)
{
	end_login_at_once(s, AUTH_MALFORMED, "mechanism",
	    smtp_status_make(504, "5.5.4", "Mechanism not offered"));
}

static void
on_auth_delay_over(evutil_socket_t fd, short what, void *arg)
{
	struct auth_session *s = arg;

	(void)fd;
	(void)what;
	send_auth_answer(s, &s->answer);
	auth_session_end(s);
}

/* The log line is written at once and the answer is sent later: this slows down guessing and no
 * other client. */
void
auth_result_fail(struct auth_session *s)
{
	struct guesses_counted counted;
	struct timeval wait;

	s->answer = (struct message_auth_answer){.outcome = AUTH_FAIL, .challenge = STR(""),
	    .user = STR(""), .backend = str_of(broker_backend()->name),
	    .status = smtp_status_make(535, "5.7.8", "Authentication credentials invalid")};
	if (!s->reason)
		s->reason = "bad_credentials";
	counted = guesses_count(s);
	s->is_counted = counted.is_new;
	log_auth_failure(s, "auth fail", &s->answer.status);
	if (s->is_test) {
		send_auth_answer(s, &s->answer);
		auth_session_end(s);
		return;
	}
	wait = (struct timeval){.tv_sec = counted.delay_ms / 1000,
	    .tv_usec = counted.delay_ms % 1000 * 1000};
	s->state = AUTH_SESSION_DELAYED;
	s->delay = evtimer_new(s->broker->role->base, on_auth_delay_over, s);
	if (!s->delay || evtimer_add(s->delay, &wait) != 0)
		die("no event for a delay");
}

/* The credentials were not checked: this is no failure, and the answer says nothing about the
 * account. */
static void
refuse_unchecked_login(struct auth_session *s, enum auth_outcome outcome, const char *reason,
    struct smtp_status status)
{
	s->reason = reason;
	log_auth_failure(s, "auth refused", &status);
	answer_and_end_login(s, outcome, status);
}

bool
auth_result_is_refused(struct auth_session *s)
{
	enum guesses_limit limit = guesses_limit(s);

	if (limit != GUESSES_WITHIN_LIMITS)
		guesses_note_refused(s, limit);
	switch (limit) {
	case GUESSES_WITHIN_LIMITS:
		return false;
	case GUESSES_BLOCKED_NETWORK:
		refuse_unchecked_login(s, AUTH_FAIL, "network_blocked",
		    smtp_status_make(421, "4.7.0",
			"Logins from your network are blocked for now by the administrator"));
		return true;
	case GUESSES_BLOCKED_USER:
		refuse_unchecked_login(s, AUTH_TEMPFAIL, "user_blocked",
		    smtp_status_make(454, "4.7.0",
			"This login is blocked for now by the administrator"));
		return true;
	case GUESSES_NETWORK:
	case GUESSES_LOGIN_AT_NETWORK:
		refuse_unchecked_login(s, AUTH_FAIL, "throttled",
		    smtp_status_make(421, "4.7.0", "Too many failed logins"));
		return true;
	case GUESSES_LOGIN:
		refuse_unchecked_login(s, AUTH_TEMPFAIL, "login_limited",
		    smtp_status_make(454, "4.7.0", "Temporary authentication failure"));
		return true;
	}
	return false;
}

/*
 * verdict: see the header.
 */
#include "auth/verdict.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

static void
log_who(struct log_line *l, const struct exchange *login, const char *event, int priority)
{
	log_begin(l, priority, event);
	if (login->is_test)
		log_str(l, "id", STR("-"));
	else
		log_id(l, (struct msgid){.session = login->session}, 0);
	log_str(l, "ip", login->client);
	log_num(l, "port", login->port);
}

static void
log_failure(const struct exchange *login, const char *event, const struct status *status)
{
	char code[STATUS_ENHANCED_BYTES], reply[STATUS_ENHANCED_BYTES + 8];
	struct log_line l;

	log_who(&l, login, event, LOG_NOTICE);
	log_str(&l, "mech", str_of(login->mechanism ? login->mechanism->name : ""));
	log_str(&l, "reason", str_of(login->reason));
	if (status->code == 454)
		log_str(&l, "backend", STR("users"));
	snprintf(reply, sizeof reply, "%u %s", status->code, status_enhanced(status, code));
	log_quoted(&l, "reply", str_of(reply));
	log_user(&l, "user", claim_name(&login->claim));
	log_end(&l);
}

static void
log_success(const struct exchange *login)
{
	struct log_line l;

	log_who(&l, login, "auth ok", LOG_INFO);
	log_str(&l, "tls", login->tls);
	log_str(&l, "mech", str_of(login->mechanism->name));
	log_str(&l, "backend", STR("users"));
	log_user(&l, "user", claim_name(&login->claim));
	log_end(&l);
}

static void
answer_test(const struct exchange *l, const struct message_auth_answer *m)
{
	static const char *const words[] = {"continue", "ok", "fail", "tempfail", "malformed"};
	static const uint8_t exits[] = {70, 0, 1, 75, 65};
	struct message_admin_done done = {.exit_code = exits[m->outcome], .text = STR("")};
	struct message_admin_row row;
	struct buf values;

	buf_init(&values, 4096);
	message_values_add(&values, "backend", STR("users"));
	message_values_add(&values, "outcome", str_of(words[m->outcome]));
	message_values_add(&values, "reason", str_of(l->reason ? l->reason : "none"));
	row.values = buf_str(&values);
	(void)!channel_answer(l->from, l->call, MESSAGE_ADMIN_ROW, &row, -1);
	(void)!channel_answer(l->from, l->call, MESSAGE_ADMIN_DONE, &done, -1);
	buf_clear(&values);
}

static void
say(struct exchange *l, const struct message_auth_answer *m)
{
	if (l->is_test)
		answer_test(l, m);
	else if (l->call)
		(void)!channel_answer(l->from, l->call, MESSAGE_AUTH_ANSWER, m, -1);
	l->call = 0;
}

void
verdict_ask(struct exchange *l, enum exchange_state next, struct str challenge)
{
	struct message_auth_answer m = {.outcome = AUTH_CONTINUE, .challenge = challenge,
	    .user = STR(""), .backend = STR("")};

	l->state = next;
	say(l, &m);
}

static void
end_with(struct exchange *l, enum auth_outcome outcome, struct status status)
{
	struct message_auth_answer m = {.outcome = (uint8_t)outcome, .status = status,
	    .challenge = STR(""), .user = STR(""), .backend = STR("users")};

	say(l, &m);
	exchange_end(l);
}

void
verdict_ok(struct exchange *l, bool from_cache)
{
	struct message_auth_answer m = {.outcome = AUTH_OK, .challenge = STR(""),
	    .user = claim_name(&l->claim), .backend = STR("users"), .from_cache = from_cache};

	m.status = status_make(235, "2.7.0", "Authentication successful");
	log_success(l);
	if (!l->is_test)
		places_add(l->broker->places, claim_name(&l->claim), l->network);
	say(l, &m);
	exchange_end(l);
}

/* Told at once, without the delay of a guess. */
static void
end_at_once(
    struct exchange *l, enum auth_outcome outcome, const char *reason, struct status status)
{
	l->reason = reason;
	log_failure(l, outcome == AUTH_TEMPFAIL ? "auth tempfail" : "auth fail", &status);
	end_with(l, outcome, status);
}

void
verdict_unknown(struct exchange *l, const char *reason)
{
	end_at_once(l, AUTH_TEMPFAIL, reason,
	    status_make(454, "4.7.0", "Temporary authentication failure"));
}

void
verdict_malformed(struct exchange *l)
{
	end_at_once(l, AUTH_MALFORMED, "malformed",
	    status_make(501, "5.5.2", "Malformed authentication message"));
}

void
verdict_cancelled(struct exchange *l)
{
	struct log_line line;

	log_who(&line, l, "auth cancelled", LOG_NOTICE);
	log_str(&line, "mech", str_of(l->mechanism->name));
	log_user(&line, "user", claim_name(&l->claim));
	log_end(&line);
	exchange_end(l);
}

void
verdict_no_mechanism(struct exchange *l)
{
	end_at_once(l, AUTH_MALFORMED, "mechanism",
	    status_make(504, "5.5.4", "Authentication mechanism not available"));
}

static void
on_delay_over(evutil_socket_t fd, short what, void *arg)
{
	struct exchange *l = arg;

	(void)fd;
	(void)what;
	say(l, &l->answer);
	exchange_end(l);
}

static struct failures_limit
limit_of(const struct conf_rate *rate)
{
	return (struct failures_limit){rate->count, rate->period_ms};
}

static bool
is_usual_place(const struct exchange *l)
{
	return places_has(l->broker->places, claim_name(&l->claim), l->network);
}

/* A wrong password of the login, from wherever; one that was counted is not counted again. */
static void
count_for_login(struct exchange *l)
{
	struct failures_limit limit = limit_of(&exchange_conf(l)->auth.login_failure_limit);
	struct str user = claim_name(&l->claim);
	struct str password = exchange_password(l);

	if (password.n && cache_has(l->broker->wrong, user, password))
		return;
	if (password.n)
		cache_add(l->broker->wrong, user, password, limit.period_ms);
	(void)failures_add(l->broker->failures, FAILURES_OF_LOGIN, user, limit);
}

/* How long the answer waits. Where the user is known to be, other places' guesses slow nobody. */
static int64_t
count_failure(struct exchange *l)
{
	struct failures_limit limit = limit_of(&exchange_conf(l)->auth.failure_limit);
	struct failures *f = l->broker->failures;
	uint64_t network = failures_add(f, FAILURES_OF_NETWORK, l->network, limit);
	uint64_t user = failures_add(f, FAILURES_OF_USER, claim_name(&l->claim), limit);

	count_for_login(l);
	return failures_delay_ms(user > network && !is_usual_place(l) ? user : network);
}

/* The line is written at once, the answer waits: guessing gets slower, nobody else does. */
void
verdict_no(struct exchange *l)
{
	struct timeval wait;
	int64_t ms;

	l->answer = (struct message_auth_answer){.outcome = AUTH_FAIL, .challenge = STR(""),
	    .user = STR(""), .backend = STR("users"),
	    .status = status_make(535, "5.7.8", "Authentication credentials invalid")};
	if (!l->reason)
		l->reason = "bad_credentials";
	log_failure(l, "auth fail", &l->answer.status);
	if (l->is_test) {
		say(l, &l->answer);
		exchange_end(l);
		return;
	}
	ms = count_failure(l);
	wait = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	l->state = EXCHANGE_DELAYED;
	l->delay = evtimer_new(l->broker->role->base, on_delay_over, l);
	if (!l->delay || evtimer_add(l->delay, &wait) != 0)
		die("no event for a delay");
}

static bool
is_beyond(const struct exchange *l, enum failures_of what, struct str name,
    const struct conf_rate *rate)
{
	return rate->count > 0 &&
	    failures_count(l->broker->failures, what, name, limit_of(rate)) >= rate->count;
}

bool
verdict_is_refused(struct exchange *l)
{
	const struct conf *conf = exchange_conf(l);
	struct str user = claim_name(&l->claim);

	if (l->is_test)
		return false;
	if (is_beyond(l, FAILURES_OF_NETWORK, l->network, &conf->auth.failure_limit)) {
		end_at_once(l, AUTH_FAIL, "throttled",
		    status_make(421, "4.7.0", "Too many failed logins"));
		return true;
	}
	if (user.n == 0 ||
	    !is_beyond(l, FAILURES_OF_LOGIN, user, &conf->auth.login_failure_limit) ||
	    is_usual_place(l))
		return false;
	verdict_unknown(l, "login_limited");
	return true;
}

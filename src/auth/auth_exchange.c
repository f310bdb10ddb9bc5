/*
 * auth_exchange: PLAIN and LOGIN are read completely here, so that a password which was right a
 * moment ago needs no worker. For other passwords a worker derives the key, and the key is compared
 * here. SCRAM costs only a few hashes and is done here. A worker's answer alone never accepts a
 * login. The account comes from the back end, whose worker is asked: a session waits for the answer
 * as it waits for a check, and a password in the cache needs neither.
 *
 * The answers to a client never show whether the account exists or is suspended: for an unknown
 * name the back end gives a made-up secret, for a suspended account its own salt with keys that
 * match no password, and all names then take the same steps. The reason is only in the log.
 */
#include "auth/auth_exchange.h"

#include "auth/auth_result.h"
#include "auth/auth_session.h"
#include "auth/scram_server.h"
#include "auth/stored_secret.h"
#include "base/mem.h"
#include "conf/login_name.h"

static const struct auth_session_mechanism mechanisms[] = {
    {"PLAIN", AUTH_SESSION_WANTS_FIRST, "", claimed_parse_plain, true},
    {"LOGIN", AUTH_SESSION_WANTS_USER, "Username:", claimed_set_user, true},
    {"SCRAM-SHA-256", AUTH_SESSION_WANTS_FIRST, "", claimed_parse_scram, false},
    {"SCRAM-SHA-256-PLUS", AUTH_SESSION_WANTS_FIRST, "", claimed_parse_scram, false},
};

static bool
is_mechanism_offered(const struct conf *conf, struct str mechanism)
{
	for (size_t i = 0; i < conf->auth.mechanisms.count; i++)
		if (str_eq(conf->auth.mechanisms.str[i], mechanism))
			return true;
	return false;
}

/* True: the secrets of the back end can serve it. */
static bool
is_mechanism_served(const struct auth_session_mechanism *m)
{
	unsigned needs = m->has_password ? AUTH_BACKEND_PLAINTEXT : AUTH_BACKEND_SCRAM;

	return (broker_backend()->mechanisms & needs) != 0;
}

static const struct auth_session_mechanism *
find_auth_mechanism(const struct conf *conf, struct str name)
{
	if (!is_mechanism_offered(conf, name))
		return NULL;
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
		if (str_eq(str_of(mechanisms[i].name), name))
			return is_mechanism_served(&mechanisms[i]) ? &mechanisms[i] : NULL;
	return NULL;
}

/* ---- look-ups ---- */

/* Asks the back end for the account; `done` hears the answer. */
static void
look_up_account(struct auth_session *s, broker_lookup_fn *done)
{
	s->state = AUTH_SESSION_LOOKING_UP;
	s->lookup.done = done;
	s->lookup.arg = s;
	if (!broker_look_up(s->broker, &s->lookup, claimed_name(&s->identity), s->network))
		auth_result_tempfail(s, "store_unavailable");
}

/* ---- checking the credentials ---- */

static bool
is_cached_password(const struct auth_session *s)
{
	return s->mechanism->has_password && !s->identity.has_other_authzid && !s->is_test &&
	       auth_session_conf(s)->auth.cache_ms > 0 &&
	       password_cache_has(
	           s->broker->cache, claimed_name(&s->identity), auth_session_password(s));
}

static void
accept_login(struct auth_session *s)
{
	if (s->mechanism->has_password && !s->is_test)
		password_cache_add(s->broker->cache, claimed_name(&s->identity),
		    auth_session_password(s), auth_session_conf(s)->auth.cache_ms);
	auth_result_ok(s, false);
}

static void
on_account_found_again(
    struct broker_lookup *l, const struct auth_backend_account *found, void *arg)
{
	struct auth_session *s = arg;

	(void)l;
	if (auth_result_is_refused(s))
		return;
	switch (stored_secret_compare(s, found)) {
	case AUTH_BACKEND_FOUND:
		accept_login(s);
		return;
	case AUTH_BACKEND_NONE:
		auth_result_fail(s);
		return;
	case AUTH_BACKEND_DAMAGED:
	case AUTH_BACKEND_BROKEN:
		auth_result_tempfail(s, "store_unavailable");
		return;
	}
}

/* The credentials are right. The account may have changed since it was looked up. */
static void
accept_if_unchanged(struct auth_session *s)
{
	if (s->identity.has_other_authzid)
		auth_result_fail(s);
	else if (s->changes == s->broker->changes)
		accept_login(s);
	else
		look_up_account(s, on_account_found_again);
}

static void
on_password_checked(
    struct worker_pool_job *job, const union message *answer, const char *reason)
{
	const struct message_check_answer *m = answer ? &answer->check_answer : NULL;
	struct auth_session *s = job->arg;
	uint8_t outcome = m ? m->outcome : (uint8_t)AUTH_TEMPFAIL;

	/* guesses may be sent in parallel: those beyond the limit get no result, right or wrong */
	if (outcome != AUTH_TEMPFAIL && auth_result_is_refused(s))
		return;
	if (outcome == AUTH_TEMPFAIL)
		auth_result_tempfail(s, reason ? reason : "backend_failed");
	else if (outcome == AUTH_OK && scram_secret_is_proven(&s->secret, m->key))
		accept_if_unchanged(s);
	else
		auth_result_fail(s);
}

/* While the job waited, another session may have proved the same password, or the network may have
 * reached its limit. */
static bool
decide_without_worker(struct worker_pool_job *job)
{
	struct auth_session *s = job->arg;

	if (auth_result_is_refused(s))
		return true;
	if (!is_cached_password(s))
		return false;
	auth_result_ok(s, true);
	return true;
}

static void
check_by_worker(struct auth_session *s)
{
	bool is_login = s->mechanism->first_state == AUTH_SESSION_WANTS_USER;
	struct str message = str_make(s->message.p, s->message.n);
	const char *reason;

	s->state = AUTH_SESSION_CHECKING;
	s->check = (struct message_check_start){
	    .mechanism = str_of(s->mechanism->name),
	    .first = is_login ? claimed_name(&s->identity) : message,
	    .second = is_login ? message : STR(""),
	    .hostname = s->hostname,
	    .user = claimed_name(&s->identity),
	    .salt = str_make((const char *)s->secret.salt, s->secret.salt_n),
	    .iterations = s->secret.iterations,
	};
	s->job = (struct worker_pool_job){.type = MESSAGE_CHECK_START, .message = &s->check,
	    .network = s->network, .done = on_password_checked,
	    .decide = decide_without_worker, .arg = s};
	reason = worker_pool_begin(s->broker->pools[WORKER_KIND_PASSWORD], &s->job);
	if (reason)
		auth_result_tempfail(s, reason);
}

/* ---- SCRAM ---- */

static bool
is_scram_plus(const struct auth_session *s)
{
	return str_eq(str_of(s->mechanism->name), STR("SCRAM-SHA-256-PLUS"));
}

static void
send_scram_challenge(struct auth_session *s)
{
	struct scram_server_channel channel = {.is_plus = is_scram_plus(s),
	    .binding = s->binding,
	    .plus_offered = s->binding.n > 0 &&
	                    is_mechanism_offered(auth_session_conf(s), STR("SCRAM-SHA-256-PLUS"))};
	struct buf challenge;

	if (!scram_server_is_bound(&s->identity, &channel)) {
		auth_result_fail(s);
		return;
	}
	buf_init(&challenge, SCRAM_SERVER_CHALLENGE_MAX);
	scram_server_challenge(str_make(s->message.p, s->message.n), &s->secret, &challenge);
	auth_session_keep(&s->challenge, buf_str(&challenge));
	buf_clear(&challenge);
	auth_result_challenge(
	    s, AUTH_SESSION_WANTS_FINAL, str_make(s->challenge.p, s->challenge.n));
}

static void
check_scram_final(struct auth_session *s, struct str final)
{
	struct scram_server_exchange exchange = {.first = str_make(s->message.p, s->message.n),
	    .challenge = str_make(s->challenge.p, s->challenge.n),
	    .binding = is_scram_plus(s) ? s->binding : STR(""),
	    .secret = &s->secret};
	struct buf reply;

	/* guesses may be sent in parallel: those beyond the limit get no result, right or wrong */
	if (auth_result_is_refused(s))
		return;
	buf_init(&reply, CLAIMED_MESSAGE_MAX);
	if (final.n <= CLAIMED_MESSAGE_MAX && scram_server_is_proven(&exchange, final, &reply) &&
	    !s->identity.has_other_authzid)
		auth_result_challenge(s, AUTH_SESSION_WANTS_END, buf_str(&reply));
	else if (final.n > CLAIMED_MESSAGE_MAX)
		auth_result_malformed(s);
	else
		auth_result_fail(s);
	buf_clear(&reply);
}

/* ---- responses of the client ---- */

/* Rewrites PLAIN with completed names, because the worker accepts no other name. */
static void
keep_completed_plain(struct auth_session *s)
{
	struct claimed_identity original;
	struct buf completed;

	if (!s->mechanism->has_password || s->mechanism->first_state != AUTH_SESSION_WANTS_FIRST ||
	    !claimed_parse_plain(str_make(s->message.p, s->message.n), &original))
		return;
	buf_init(&completed, CLAIMED_MESSAGE_MAX + 2 * CLAIMED_USER_MAX);
	buf_adds(&completed, str_make(s->identity.authzid, s->identity.authzid_n));
	buf_addc(&completed, 0);
	buf_adds(&completed, claimed_name(&s->identity));
	buf_addc(&completed, 0);
	buf_adds(&completed, original.password);
	auth_session_keep(&s->message, buf_str(&completed));
	mem_wipe(completed.p, completed.n);
	buf_clear(&completed);
}

static void
on_account_found(struct broker_lookup *l, const struct auth_backend_account *found, void *arg)
{
	struct auth_session *s = arg;
	bool has_secret = stored_secret_take(s, found);

	(void)l;
	keep_completed_plain(s);
	/* only now is it known which login a name without a domain means */
	if (auth_result_is_refused(s))
		return;
	if (!has_secret)
		auth_result_tempfail(s, "store_unavailable");
	else if (is_cached_password(s))
		auth_result_ok(s, true);
	else if (s->mechanism->has_password)
		check_by_worker(s);
	else
		send_scram_challenge(s);
}

/* Only the back end can say which account a name without a domain means; a name with a domain needs
 * no look-up if its password is in the cache. */
static void
begin_login_check(struct auth_session *s)
{
	if (str_has(claimed_name(&s->identity), '@')) {
		if (claimed_complete(&s->identity, login_name_domain(auth_session_conf(s))))
			keep_completed_plain(s);
		if (auth_result_is_refused(s))
			return;
		if (is_cached_password(s)) {
			auth_result_ok(s, true);
			return;
		}
	}
	look_up_account(s, on_account_found);
}

/* Reads who the client claims to be. The proof of SCRAM covers what the client sent, whichever
 * account the name means. */
static bool
parse_claimed_identity(struct auth_session *s, struct str message)
{
	if (!s->mechanism->parse(message, &s->identity))
		return false;
	if (s->state == AUTH_SESSION_WANTS_FIRST)
		auth_session_keep(&s->message, message);
	s->identity.password = STR_NULL; /* it pointed into the client's message */
	return true;
}

static void
take_client_response(struct auth_session *s, struct str message)
{
	switch (s->state) {
	case AUTH_SESSION_WANTS_FIRST:
		if (parse_claimed_identity(s, message))
			begin_login_check(s);
		else
			auth_result_malformed(s);
		return;
	case AUTH_SESSION_WANTS_USER:
		if (!parse_claimed_identity(s, message))
			auth_result_malformed(s);
		else
			auth_result_challenge(s, AUTH_SESSION_WANTS_PASSWORD, STR("Password:"));
		return;
	case AUTH_SESSION_WANTS_PASSWORD:
		if (!claimed_is_valid_password(message)) {
			auth_result_malformed(s);
			return;
		}
		auth_session_keep(&s->message, message);
		begin_login_check(s);
		return;
	case AUTH_SESSION_WANTS_FINAL:
		check_scram_final(s, message);
		return;
	case AUTH_SESSION_WANTS_END:
		if (message.n)
			auth_result_malformed(s);
		else
			accept_if_unchanged(s);
		return;
	case AUTH_SESSION_LOOKING_UP:
	case AUTH_SESSION_CHECKING:
	case AUTH_SESSION_DELAYED:
		/* submission did not wait for its answer: a protocol error */
		auth_result_malformed(s);
		return;
	}
}

static void
describe_auth_session(struct auth_session *s, const struct message_auth_start *m)
{
	s->port = m->port;
	s->client = arena_str(&s->arena, str_upto(m->client, 64));
	s->tls = arena_str(&s->arena, str_upto(m->tls, 32));
	s->hostname = arena_str(&s->arena, str_upto(m->hostname, 255));
	s->binding = arena_str(&s->arena, str_upto(m->binding, 64));
	s->network = claimed_network(s->client, s->network_bytes);
	s->mechanism = find_auth_mechanism(auth_session_conf(s), m->mechanism);
}

void
auth_exchange_start(
    struct broker *b, struct channel *channel, uint64_t call, const struct message_auth_start *m)
{
	struct auth_session *s = auth_session_find(b, NULL, m->session);

	/* a session that starts again has dropped its last attempt */
	if (s)
		auth_session_end(s);
	s = auth_session_new(b, channel, call, m->session);
	describe_auth_session(s, m);
	if (map_count(b->sessions) >= AUTH_SESSION_MAX) {
		auth_result_tempfail(s, "queue_full");
		return;
	}
	auth_session_add(s);
	if (!s->mechanism) {
		auth_result_unknown_mechanism(s);
		return;
	}
	s->state = s->mechanism->first_state;
	if (m->has_initial)
		take_client_response(s, m->initial);
	else
		auth_result_challenge(s, s->state, str_of(s->mechanism->prompt));
}

void
auth_exchange_step(struct broker *b, struct channel *channel, uint64_t call,
    const struct message_auth_step *m)
{
	struct auth_session *s = auth_session_find(b, channel, m->session);

	if (!s) {
		/* the session began before the broker was restarted, or was idle for too long */
		s = auth_session_new(b, channel, call, m->session);
		auth_result_tempfail(s, "conversation_lost");
		return;
	}
	/* submission did not wait for its answer: the former request ends */
	channel_refuse(s->channel, s->call);
	s->call = call;
	take_client_response(s, m->response);
}

void
auth_exchange_cancel(struct broker *b, struct channel *channel, const struct message_auth_cancel *m)
{
	struct auth_session *s = auth_session_find(b, channel, m->session);

	/* a session that waits for its delay has its log line already */
	if (s && s->state != AUTH_SESSION_DELAYED)
		auth_result_cancelled(s);
	else if (s)
		auth_session_end(s);
}

void
auth_exchange_test(
    struct broker *b, struct channel *channel, uint64_t call, const struct message_admin *m)
{
	/* above all session ids, which have 60 bits */
	struct auth_session *s = auth_session_new(b, channel, call, UINT64_MAX - b->test_count++);
	struct buf plain;

	s->is_test = true;
	s->tested_by = arena_str(&s->arena, m->by);
	s->tested_for = arena_str(&s->arena, str_upto(m->claimed_name, MESSAGE_CLAIMED_NAME_MAX));
	s->client = s->tls = STR("-");
	s->hostname = auth_session_conf(s)->hostname;
	s->mechanism = &mechanisms[0];
	s->state = AUTH_SESSION_WANTS_FIRST;
	auth_session_add(s);
	buf_init(&plain, CLAIMED_MESSAGE_MAX);
	buf_addc(&plain, 0);
	buf_adds(&plain, message_values_get(m->values, "user"));
	buf_addc(&plain, 0);
	buf_adds(&plain, message_values_get(m->values, "password"));
	take_client_response(s, buf_ok(&plain) ? buf_str(&plain) : STR(""));
	mem_wipe(plain.p, plain.n);
	buf_clear(&plain);
}

/*
 * auth_session: PLAIN and LOGIN are read here to the end, so that a check that was good a moment
 * ago needs no worker; a worker derives the key of the others, and here it is compared. SCRAM costs
 * a few hashes and is done here: no worker's word lets anyone in.
 *
 * What a stranger hears never tells whether the account exists or is suspended: an unknown name
 * gets a made-up secret, a suspended one its own salt with keys that nothing fits, and then
 * everything takes the same way. The reason stands in the log only.
 */
#include "auth/auth_session.h"

#include "auth/auth_result.h"
#include "auth/scram_server.h"
#include "auth/stored_secret.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/login_name.h"

enum { TEXTS_MAX = 4096 };

static const struct auth_session_mechanism mechanisms[] = {
    {"PLAIN", AUTH_SESSION_WANTS_FIRST, "", claimed_parse_plain, true},
    {"LOGIN", AUTH_SESSION_WANTS_USER, "Username:", claimed_set_user, true},
    {"SCRAM-SHA-256", AUTH_SESSION_WANTS_FIRST, "", claimed_parse_scram, false},
    {"SCRAM-SHA-256-PLUS", AUTH_SESSION_WANTS_FIRST, "", claimed_parse_scram, false},
};

const struct conf *
auth_session_conf(const struct auth_session *l)
{
	return l->broker->role->conf;
}

static bool
is_mechanism_offered(const struct conf *conf, struct str mechanism)
{
	for (size_t i = 0; i < conf->auth.mechanisms.count; i++)
		if (str_eq(conf->auth.mechanisms.str[i], mechanism))
			return true;
	return false;
}

static const struct auth_session_mechanism *
find_auth_mechanism(const struct conf *conf, struct str name)
{
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
		if (str_eq(str_of(mechanisms[i].name), name))
			return is_mechanism_offered(conf, name) ? &mechanisms[i] : NULL;
	return NULL;
}

/* ---- life ---- */

static struct str
auth_session_key(const uint64_t *session)
{
	return str_make((const char *)session, sizeof *session);
}

static void
wipe_session_bytes(struct auth_session_bytes *s)
{
	if (s->p)
		mem_wipe(s->p, s->n);
	mem_free(s->p);
	*s = (struct auth_session_bytes){0};
}

static void
keep_session_bytes(struct auth_session_bytes *s, struct str from)
{
	wipe_session_bytes(s);
	s->p = mem_text(from.p, from.n);
	s->n = from.n;
}

void
auth_session_end(struct auth_session *l)
{
	if (map_get(l->broker->logins, auth_session_key(&l->session)) == l)
		map_remove(l->broker->logins, auth_session_key(&l->session));
	worker_pool_cancel(l->broker->pool, &l->job);
	/* still unanswered: a session that begins anew, or one whose peer is gone */
	channel_refuse(l->from, l->call);
	if (l->delay)
		event_free(l->delay);
	wipe_session_bytes(&l->message);
	wipe_session_bytes(&l->challenge);
	arena_clear(&l->arena);
	mem_wipe(&l->secret, sizeof l->secret);
	mem_free(l);
}

static struct auth_session *
auth_session_new(struct broker *b, struct channel *from, uint64_t call, uint64_t session)
{
	struct auth_session *l = MEM_NEW(struct auth_session);

	l->broker = b;
	l->from = from;
	l->call = call;
	l->session = session;
	l->started_ms = clock_mono_ms();
	arena_init(&l->arena, TEXTS_MAX);
	return l;
}

static struct auth_session *
auth_session_find(struct broker *b, const struct channel *from, uint64_t session)
{
	struct auth_session *l = map_get(b->logins, auth_session_key(&session));

	return l && l->from == from ? l : NULL;
}

/* ---- the check ---- */

struct str
auth_session_password(const struct auth_session *l)
{
	struct claimed_identity claim;

	if (!l->mechanism->has_password)
		return STR("");
	if (l->mechanism->first == AUTH_SESSION_WANTS_USER)
		return str_make(l->message.p, l->message.n);
	return claimed_parse_plain(str_make(l->message.p, l->message.n), &claim) ? claim.password
	                                                                         : STR("");
}

static bool
is_cached_password(const struct auth_session *l)
{
	return l->mechanism->has_password && !l->claim.is_for_other && !l->is_test &&
	    auth_session_conf(l)->auth.cache_ms > 0 &&
	    password_cache_has(l->broker->cache, claimed_name(&l->claim), auth_session_password(l));
}

static void
accept_if_unchanged(struct auth_session *l)
{
	enum accounts_result found =
	    l->claim.is_for_other ? ACCOUNTS_NONE : stored_secret_check_again(l);

	if (found == ACCOUNTS_NONE) {
		auth_result_fail(l);
		return;
	}
	if (found != ACCOUNTS_OK) {
		auth_result_tempfail(l, "store_unavailable");
		return;
	}
	if (l->mechanism->has_password && !l->is_test)
		password_cache_add(l->broker->cache, claimed_name(&l->claim),
		    auth_session_password(l), auth_session_conf(l)->auth.cache_ms);
	auth_result_ok(l, false);
}

static void
on_password_checked(
    struct worker_pool_job *job, const struct message_check_answer *m, const char *trouble)
{
	struct auth_session *l = job->arg;
	uint8_t outcome = m ? m->outcome : (uint8_t)AUTH_TEMPFAIL;

	/* many guesses sent at once: those beyond the limit learn nothing, right or wrong */
	if (outcome != AUTH_TEMPFAIL && auth_result_is_refused(l))
		return;
	if (outcome == AUTH_TEMPFAIL)
		auth_result_tempfail(l, trouble ? trouble : "backend_failed");
	else if (outcome == AUTH_OK && scram_secret_is_proven(&l->secret, m->key))
		accept_if_unchanged(l);
	else
		auth_result_fail(l);
}

/* While it waited, another session may have proved the same password, or its network gone too
 * far. */
static bool
decide_without_worker(struct worker_pool_job *job)
{
	struct auth_session *l = job->arg;

	if (auth_result_is_refused(l))
		return true;
	if (!is_cached_password(l))
		return false;
	auth_result_ok(l, true);
	return true;
}

static void
check_by_worker(struct auth_session *l)
{
	bool is_login = l->mechanism->first == AUTH_SESSION_WANTS_USER;
	struct str message = str_make(l->message.p, l->message.n);
	const char *trouble;

	l->state = AUTH_SESSION_CHECKING;
	l->job.start = (struct message_check_start){
	    .mechanism = str_of(l->mechanism->name),
	    .first = is_login ? claimed_name(&l->claim) : message,
	    .second = is_login ? message : STR(""),
	    .hostname = l->hostname,
	    .user = claimed_name(&l->claim),
	    .salt = str_make((const char *)l->secret.salt, l->secret.salt_n),
	    .iterations = l->secret.iterations,
	};
	l->job.network = l->network;
	l->job.done = on_password_checked;
	l->job.settle = decide_without_worker;
	l->job.arg = l;
	trouble = worker_pool_begin(l->broker->pool, &l->job);
	if (trouble)
		auth_result_tempfail(l, trouble);
}

/* ---- SCRAM ---- */

static bool
is_scram_plus(const struct auth_session *l)
{
	return str_eq(str_of(l->mechanism->name), STR("SCRAM-SHA-256-PLUS"));
}

static void
send_scram_challenge(struct auth_session *l)
{
	struct scram_server_channel channel = {.is_plus = is_scram_plus(l),
	    .binding = l->binding,
	    .plus_offered = l->binding.n > 0 &&
	                    is_mechanism_offered(auth_session_conf(l), STR("SCRAM-SHA-256-PLUS"))};
	struct buf challenge;

	if (!scram_server_is_bound(&l->claim, &channel)) {
		auth_result_fail(l);
		return;
	}
	buf_init(&challenge, SCRAM_SERVER_CHALLENGE_MAX);
	scram_server_challenge(str_make(l->message.p, l->message.n), &l->secret, &challenge);
	keep_session_bytes(&l->challenge, buf_str(&challenge));
	buf_clear(&challenge);
	auth_result_challenge(
	    l, AUTH_SESSION_WANTS_FINAL, str_make(l->challenge.p, l->challenge.n));
}

static void
check_scram_final(struct auth_session *l, struct str final)
{
	struct scram_server_exchange talk = {.first = str_make(l->message.p, l->message.n),
	    .challenge = str_make(l->challenge.p, l->challenge.n),
	    .binding = is_scram_plus(l) ? l->binding : STR(""),
	    .secret = &l->secret};
	struct buf proof;

	/* many guesses sent at once: those beyond the limit learn nothing, right or wrong */
	if (auth_result_is_refused(l))
		return;
	buf_init(&proof, CLAIMED_MESSAGE_MAX);
	if (final.n <= CLAIMED_MESSAGE_MAX && scram_server_is_proven(&talk, final, &proof) &&
	    !l->claim.is_for_other)
		auth_result_challenge(l, AUTH_SESSION_WANTS_END, buf_str(&proof));
	else if (final.n > CLAIMED_MESSAGE_MAX)
		auth_result_malformed(l);
	else
		auth_result_fail(l);
	buf_clear(&proof);
}

/* ---- what the client says ---- */

/* PLAIN as if the client had said whole names: the worker lets no other name pass. */
static void
keep_completed_plain(struct auth_session *l)
{
	struct claimed_identity said;
	struct buf whole;

	if (!l->mechanism->has_password || l->mechanism->first != AUTH_SESSION_WANTS_FIRST ||
	    !claimed_parse_plain(str_make(l->message.p, l->message.n), &said))
		return;
	buf_init(&whole, CLAIMED_MESSAGE_MAX + 2 * CLAIMED_USER_MAX);
	buf_adds(&whole, str_make(l->claim.other, l->claim.other_n));
	buf_addc(&whole, 0);
	buf_adds(&whole, claimed_name(&l->claim));
	buf_addc(&whole, 0);
	buf_adds(&whole, said.password);
	keep_session_bytes(&l->message, buf_str(&whole));
	mem_wipe(whole.p, whole.n);
	buf_clear(&whole);
}

/* Everybody after this knows whole names, or such as an account has exactly.  Whom a name without a
 * domain means the store alone can say; a whole one needs no look-up if its password is known. */
static void
begin_login_check(struct auth_session *l)
{
	bool is_whole = str_has(claimed_name(&l->claim), '@');
	bool has_account = !is_whole && stored_secret_choose(l);

	if (!is_whole || claimed_complete(&l->claim, login_name_domain(auth_session_conf(l))))
		keep_completed_plain(l);
	if (auth_result_is_refused(l))
		return;
	if ((is_whole || has_account) && is_cached_password(l))
		auth_result_ok(l, true);
	else if (!has_account && (!is_whole || !stored_secret_choose(l)))
		auth_result_tempfail(l, "store_unavailable");
	else if (l->mechanism->has_password)
		check_by_worker(l);
	else
		send_scram_challenge(l);
}

/* Who it claims to be.  SCRAM's proof is over what the client said, whatever name is meant. */
static bool
parse_claimed_identity(struct auth_session *l, struct str message)
{
	if (!l->mechanism->claim(message, &l->claim))
		return false;
	if (l->state == AUTH_SESSION_WANTS_FIRST)
		keep_session_bytes(&l->message, message);
	l->claim.password = STR_NULL; /* it looked into what came in */
	return true;
}

static void
take_client_response(struct auth_session *l, struct str message)
{
	switch (l->state) {
	case AUTH_SESSION_WANTS_FIRST:
		if (parse_claimed_identity(l, message))
			begin_login_check(l);
		else
			auth_result_malformed(l);
		return;
	case AUTH_SESSION_WANTS_USER:
		if (!parse_claimed_identity(l, message))
			auth_result_malformed(l);
		else
			auth_result_challenge(l, AUTH_SESSION_WANTS_PASSWORD, STR("Password:"));
		return;
	case AUTH_SESSION_WANTS_PASSWORD:
		if (!claimed_is_valid_password(message)) {
			auth_result_malformed(l);
			return;
		}
		keep_session_bytes(&l->message, message);
		begin_login_check(l);
		return;
	case AUTH_SESSION_WANTS_FINAL:
		check_scram_final(l, message);
		return;
	case AUTH_SESSION_WANTS_END:
		if (message.n)
			auth_result_malformed(l);
		else
			accept_if_unchanged(l);
		return;
	case AUTH_SESSION_CHECKING:
	case AUTH_SESSION_DELAYED:
		/* the session does not wait for its answer: it breaks the rules */
		auth_result_malformed(l);
		return;
	}
}

static void
describe_auth_session(struct auth_session *l, const struct message_auth_start *m)
{
	l->port = m->port;
	l->client = arena_str(&l->arena, str_upto(m->client, 64));
	l->tls = arena_str(&l->arena, str_upto(m->tls, 32));
	l->hostname = arena_str(&l->arena, str_upto(m->hostname, 255));
	l->binding = arena_str(&l->arena, str_upto(m->binding, 64));
	l->network = claimed_network(l->client, l->network_bytes);
	l->mechanism = find_auth_mechanism(auth_session_conf(l), m->mechanism);
}

void
auth_session_start(
    struct broker *b, struct channel *from, uint64_t call, const struct message_auth_start *m)
{
	struct auth_session *l = map_get(b->logins, auth_session_key(&m->session));

	/* a session that begins anew has forgotten its last attempt */
	if (l)
		auth_session_end(l);
	l = auth_session_new(b, from, call, m->session);
	describe_auth_session(l, m);
	if (map_count(b->logins) >= AUTH_SESSION_MAX) {
		auth_result_tempfail(l, "queue_full");
		return;
	}
	map_put(b->logins, auth_session_key(&l->session), l);
	if (!l->mechanism) {
		auth_result_unknown_mechanism(l);
		return;
	}
	l->state = l->mechanism->first;
	if (m->has_initial)
		take_client_response(l, m->initial);
	else
		auth_result_challenge(l, l->state, str_of(l->mechanism->prompt));
}

void
auth_session_step(struct broker *b, struct channel *from, uint64_t call,
    const struct message_auth_step *m)
{
	struct auth_session *l = auth_session_find(b, from, m->session);

	if (!l) {
		/* begun before the broker was started anew, or left too long */
		l = auth_session_new(b, from, call, m->session);
		auth_result_tempfail(l, "conversation_lost");
		return;
	}
	/* the session did not wait for its answer: the former question ends */
	channel_refuse(l->from, l->call);
	l->call = call;
	take_client_response(l, m->response);
}

void
auth_session_cancel(struct broker *b, struct channel *from, const struct message_auth_cancel *m)
{
	struct auth_session *l = auth_session_find(b, from, m->session);

	/* one that waits for its delay has its line already */
	if (l && l->state != AUTH_SESSION_DELAYED)
		auth_result_cancelled(l);
	else if (l)
		auth_session_end(l);
}

void
auth_session_test(struct broker *b, struct channel *from, uint64_t call, struct str values)
{
	/* above all ids, which have 60 bits */
	struct auth_session *l = auth_session_new(b, from, call, UINT64_MAX - b->tests++);
	struct buf plain;

	l->is_test = true;
	l->client = l->tls = STR("-");
	l->hostname = auth_session_conf(l)->hostname;
	l->mechanism = &mechanisms[0];
	l->state = AUTH_SESSION_WANTS_FIRST;
	map_put(b->logins, auth_session_key(&l->session), l);
	buf_init(&plain, CLAIMED_MESSAGE_MAX);
	buf_addc(&plain, 0);
	buf_adds(&plain, message_values_get(values, "user"));
	buf_addc(&plain, 0);
	buf_adds(&plain, message_values_get(values, "password"));
	take_client_response(l, buf_ok(&plain) ? buf_str(&plain) : STR(""));
	mem_wipe(plain.p, plain.n);
	buf_clear(&plain);
}

/* ---- many ---- */

struct auth_session_selection {
	const struct channel *from; /* NULL: any */
	int64_t before_ms;          /* only those older than this and waiting for their client */
};

static void
end_selected_session(struct str key, void *value, void *arg)
{
	const struct auth_session_selection *s = arg;
	struct auth_session *l = value;

	(void)key;
	if (s->from && l->from != s->from)
		return;
	if (s->before_ms && (l->started_ms >= s->before_ms || l->call))
		return;
	auth_session_end(l);
}

void
auth_session_drop_all(struct broker *b, const struct channel *from)
{
	map_each(b->logins, end_selected_session, &(struct auth_session_selection){.from = from});
}

void
auth_session_sweep(struct broker *b)
{
	map_each(b->logins, end_selected_session,
	    &(struct auth_session_selection){
	        .before_ms = clock_mono_ms() - AUTH_SESSION_AGE_MAX_MS});
}

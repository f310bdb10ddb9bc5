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

static const struct exchange_mechanism mechanisms[] = {
    {"PLAIN", EXCHANGE_WANTS_FIRST, "", claim_plain, true},
    {"LOGIN", EXCHANGE_WANTS_USER, "Username:", claim_user, true},
    {"SCRAM-SHA-256", EXCHANGE_WANTS_FIRST, "", claim_scram, false},
    {"SCRAM-SHA-256-PLUS", EXCHANGE_WANTS_FIRST, "", claim_scram, false},
};

const struct conf *
exchange_conf(const struct exchange *l)
{
	return l->broker->role->conf;
}

static bool
is_offered(const struct conf *conf, struct str mechanism)
{
	for (size_t i = 0; i < conf->auth.mechanisms.count; i++)
		if (str_eq(conf->auth.mechanisms.str[i], mechanism))
			return true;
	return false;
}

static const struct exchange_mechanism *
mechanism_find(const struct conf *conf, struct str name)
{
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
		if (str_eq(str_of(mechanisms[i].name), name))
			return is_offered(conf, name) ? &mechanisms[i] : NULL;
	return NULL;
}

/* ---- life ---- */

static struct str
key_of(const uint64_t *session)
{
	return str_make((const char *)session, sizeof *session);
}

static void
wipe(struct exchange_bytes *s)
{
	if (s->p)
		mem_wipe(s->p, s->n);
	mem_free(s->p);
	*s = (struct exchange_bytes){0};
}

static void
keep(struct exchange_bytes *s, struct str from)
{
	wipe(s);
	s->p = mem_text(from.p, from.n);
	s->n = from.n;
}

void
exchange_end(struct exchange *l)
{
	if (map_get(l->broker->logins, key_of(&l->session)) == l)
		map_remove(l->broker->logins, key_of(&l->session));
	crew_leave(l->broker->pool, &l->job);
	/* still unanswered: a session that begins anew, or one whose peer is gone */
	channel_refuse(l->from, l->call);
	if (l->delay)
		event_free(l->delay);
	wipe(&l->message);
	wipe(&l->challenge);
	arena_clear(&l->arena);
	mem_wipe(&l->secret, sizeof l->secret);
	mem_free(l);
}

static struct exchange *
exchange_new(struct broker *b, struct channel *from, uint64_t call, uint64_t session)
{
	struct exchange *l = MEM_NEW(struct exchange);

	l->broker = b;
	l->from = from;
	l->call = call;
	l->session = session;
	l->started_ms = clock_mono_ms();
	arena_init(&l->arena, TEXTS_MAX);
	return l;
}

static struct exchange *
exchange_find(struct broker *b, const struct channel *from, uint64_t session)
{
	struct exchange *l = map_get(b->logins, key_of(&session));

	return l && l->from == from ? l : NULL;
}

/* ---- the check ---- */

struct str
exchange_password(const struct exchange *l)
{
	struct claim claim;

	if (!l->mechanism->has_password)
		return STR("");
	if (l->mechanism->first == EXCHANGE_WANTS_USER)
		return str_make(l->message.p, l->message.n);
	return claim_plain(str_make(l->message.p, l->message.n), &claim) ? claim.password : STR("");
}

static bool
is_known_good(const struct exchange *l)
{
	return l->mechanism->has_password && !l->claim.is_for_other && !l->is_test &&
	    exchange_conf(l)->auth.cache_ms > 0 &&
	    cache_has(l->broker->cache, claim_name(&l->claim), exchange_password(l));
}

static void
proved(struct exchange *l)
{
	enum accounts_result found = l->claim.is_for_other ? ACCOUNTS_NONE : stored_look_again(l);

	if (found == ACCOUNTS_NONE) {
		verdict_no(l);
		return;
	}
	if (found != ACCOUNTS_OK) {
		verdict_unknown(l, "store_unavailable");
		return;
	}
	if (l->mechanism->has_password && !l->is_test)
		cache_add(l->broker->cache, claim_name(&l->claim), exchange_password(l),
		    exchange_conf(l)->auth.cache_ms);
	verdict_ok(l, false);
}

static void
on_checked(struct crew_job *job, const struct message_check_answer *m, const char *trouble)
{
	struct exchange *l = job->arg;
	uint8_t outcome = m ? m->outcome : (uint8_t)AUTH_TEMPFAIL;

	/* many guesses sent at once: those beyond the limit learn nothing, right or wrong */
	if (outcome != AUTH_TEMPFAIL && verdict_is_refused(l))
		return;
	if (outcome == AUTH_TEMPFAIL)
		verdict_unknown(l, trouble ? trouble : "backend_failed");
	else if (outcome == AUTH_OK && secret_is_proven(&l->secret, m->key))
		proved(l);
	else
		verdict_no(l);
}

/* While it waited, another session may have proved the same password, or its network gone too
 * far. */
static bool
settle(struct crew_job *job)
{
	struct exchange *l = job->arg;

	if (verdict_is_refused(l))
		return true;
	if (!is_known_good(l))
		return false;
	verdict_ok(l, true);
	return true;
}

static void
ask_worker(struct exchange *l)
{
	bool is_login = l->mechanism->first == EXCHANGE_WANTS_USER;
	struct str message = str_make(l->message.p, l->message.n);
	const char *trouble;

	l->state = EXCHANGE_CHECKING;
	l->job.start = (struct message_check_start){
	    .mechanism = str_of(l->mechanism->name),
	    .first = is_login ? claim_name(&l->claim) : message,
	    .second = is_login ? message : STR(""),
	    .hostname = l->hostname,
	    .user = claim_name(&l->claim),
	    .salt = str_make((const char *)l->secret.salt, l->secret.salt_n),
	    .iterations = l->secret.iterations,
	};
	l->job.network = l->network;
	l->job.done = on_checked;
	l->job.settle = settle;
	l->job.arg = l;
	trouble = crew_begin(l->broker->pool, &l->job);
	if (trouble)
		verdict_unknown(l, trouble);
}

/* ---- SCRAM ---- */

static bool
is_plus(const struct exchange *l)
{
	return str_eq(str_of(l->mechanism->name), STR("SCRAM-SHA-256-PLUS"));
}

static void
ask_proof(struct exchange *l)
{
	struct scram_channel channel = {.is_plus = is_plus(l), .binding = l->binding,
	    .plus_offered =
		l->binding.n > 0 && is_offered(exchange_conf(l), STR("SCRAM-SHA-256-PLUS"))};
	struct buf challenge;

	if (!scram_is_bound(&l->claim, &channel)) {
		verdict_no(l);
		return;
	}
	buf_init(&challenge, SCRAM_CHALLENGE_MAX);
	scram_challenge(str_make(l->message.p, l->message.n), &l->secret, &challenge);
	keep(&l->challenge, buf_str(&challenge));
	buf_clear(&challenge);
	verdict_ask(l, EXCHANGE_WANTS_PROOF, str_make(l->challenge.p, l->challenge.n));
}

static void
take_proof(struct exchange *l, struct str final)
{
	struct scram_talk talk = {.first = str_make(l->message.p, l->message.n),
	    .challenge = str_make(l->challenge.p, l->challenge.n),
	    .binding = is_plus(l) ? l->binding : STR(""),
	    .secret = &l->secret};
	struct buf proof;

	/* many guesses sent at once: those beyond the limit learn nothing, right or wrong */
	if (verdict_is_refused(l))
		return;
	buf_init(&proof, CLAIM_MESSAGE_MAX);
	if (final.n <= CLAIM_MESSAGE_MAX && scram_is_proven(&talk, final, &proof) &&
	    !l->claim.is_for_other)
		verdict_ask(l, EXCHANGE_WANTS_END, buf_str(&proof));
	else if (final.n > CLAIM_MESSAGE_MAX)
		verdict_malformed(l);
	else
		verdict_no(l);
	buf_clear(&proof);
}

/* ---- what the client says ---- */

/* PLAIN as if the client had said whole names: the worker lets no other name pass. */
static void
keep_completed(struct exchange *l)
{
	struct claim said;
	struct buf whole;

	if (!l->mechanism->has_password || l->mechanism->first != EXCHANGE_WANTS_FIRST ||
	    !claim_plain(str_make(l->message.p, l->message.n), &said))
		return;
	buf_init(&whole, CLAIM_MESSAGE_MAX + 2 * CLAIM_USER_MAX);
	buf_adds(&whole, str_make(l->claim.other, l->claim.other_n));
	buf_addc(&whole, 0);
	buf_adds(&whole, claim_name(&l->claim));
	buf_addc(&whole, 0);
	buf_adds(&whole, said.password);
	keep(&l->message, buf_str(&whole));
	mem_wipe(whole.p, whole.n);
	buf_clear(&whole);
}

/* Everybody after this knows whole names, or such as an account has exactly.  Whom a name without a
 * domain means the store alone can say; a whole one needs no look-up if its password is known. */
static void
attempt(struct exchange *l)
{
	bool is_whole = str_has(claim_name(&l->claim), '@');
	bool has_account = !is_whole && stored_choose(l);

	if (!is_whole || claim_complete(&l->claim, login_name_domain(exchange_conf(l))))
		keep_completed(l);
	if (verdict_is_refused(l))
		return;
	if ((is_whole || has_account) && is_known_good(l))
		verdict_ok(l, true);
	else if (!has_account && (!is_whole || !stored_choose(l)))
		verdict_unknown(l, "store_unavailable");
	else if (l->mechanism->has_password)
		ask_worker(l);
	else
		ask_proof(l);
}

/* Who it claims to be.  SCRAM's proof is over what the client said, whatever name is meant. */
static bool
take_claim(struct exchange *l, struct str message)
{
	if (!l->mechanism->claim(message, &l->claim))
		return false;
	if (l->state == EXCHANGE_WANTS_FIRST)
		keep(&l->message, message);
	l->claim.password = STR_NULL; /* it looked into what came in */
	return true;
}

static void
take(struct exchange *l, struct str message)
{
	switch (l->state) {
	case EXCHANGE_WANTS_FIRST:
		if (take_claim(l, message))
			attempt(l);
		else
			verdict_malformed(l);
		return;
	case EXCHANGE_WANTS_USER:
		if (!take_claim(l, message))
			verdict_malformed(l);
		else
			verdict_ask(l, EXCHANGE_WANTS_PASSWORD, STR("Password:"));
		return;
	case EXCHANGE_WANTS_PASSWORD:
		if (!claim_is_password(message)) {
			verdict_malformed(l);
			return;
		}
		keep(&l->message, message);
		attempt(l);
		return;
	case EXCHANGE_WANTS_PROOF:
		take_proof(l, message);
		return;
	case EXCHANGE_WANTS_END:
		if (message.n)
			verdict_malformed(l);
		else
			proved(l);
		return;
	case EXCHANGE_CHECKING:
	case EXCHANGE_DELAYED:
		/* the session does not wait for its answer: it breaks the rules */
		verdict_malformed(l);
		return;
	}
}

static void
describe(struct exchange *l, const struct message_auth_start *m)
{
	l->port = m->port;
	l->client = arena_str(&l->arena, str_upto(m->client, 64));
	l->tls = arena_str(&l->arena, str_upto(m->tls, 32));
	l->hostname = arena_str(&l->arena, str_upto(m->hostname, 255));
	l->binding = arena_str(&l->arena, str_upto(m->binding, 64));
	l->network = claim_network(l->client, l->network_bytes);
	l->mechanism = mechanism_find(exchange_conf(l), m->mechanism);
}

void
exchange_start(
    struct broker *b, struct channel *from, uint64_t call, const struct message_auth_start *m)
{
	struct exchange *l = map_get(b->logins, key_of(&m->session));

	/* a session that begins anew has forgotten its last attempt */
	if (l)
		exchange_end(l);
	l = exchange_new(b, from, call, m->session);
	describe(l, m);
	if (map_count(b->logins) >= EXCHANGE_MAX) {
		verdict_unknown(l, "queue_full");
		return;
	}
	map_put(b->logins, key_of(&l->session), l);
	if (!l->mechanism) {
		verdict_no_mechanism(l);
		return;
	}
	l->state = l->mechanism->first;
	if (m->has_initial)
		take(l, m->initial);
	else
		verdict_ask(l, l->state, str_of(l->mechanism->prompt));
}

void
exchange_step(struct broker *b, struct channel *from, uint64_t call,
    const struct message_auth_step *m)
{
	struct exchange *l = exchange_find(b, from, m->session);

	if (!l) {
		/* begun before the broker was started anew, or left too long */
		l = exchange_new(b, from, call, m->session);
		verdict_unknown(l, "conversation_lost");
		return;
	}
	/* the session did not wait for its answer: the former question ends */
	channel_refuse(l->from, l->call);
	l->call = call;
	take(l, m->response);
}

void
exchange_cancel(struct broker *b, struct channel *from, const struct message_auth_cancel *m)
{
	struct exchange *l = exchange_find(b, from, m->session);

	/* one that waits for its delay has its line already */
	if (l && l->state != EXCHANGE_DELAYED)
		verdict_cancelled(l);
	else if (l)
		exchange_end(l);
}

void
exchange_test(struct broker *b, struct channel *from, uint64_t call, struct str values)
{
	/* above all ids, which have 60 bits */
	struct exchange *l = exchange_new(b, from, call, UINT64_MAX - b->tests++);
	struct buf plain;

	l->is_test = true;
	l->client = l->tls = STR("-");
	l->hostname = exchange_conf(l)->hostname;
	l->mechanism = &mechanisms[0];
	l->state = EXCHANGE_WANTS_FIRST;
	map_put(b->logins, key_of(&l->session), l);
	buf_init(&plain, CLAIM_MESSAGE_MAX);
	buf_addc(&plain, 0);
	buf_adds(&plain, message_values_get(values, "user"));
	buf_addc(&plain, 0);
	buf_adds(&plain, message_values_get(values, "password"));
	take(l, buf_ok(&plain) ? buf_str(&plain) : STR(""));
	mem_wipe(plain.p, plain.n);
	buf_clear(&plain);
}

/* ---- many ---- */

struct selection {
	const struct channel *from; /* NULL: any */
	int64_t before_ms;          /* only those older than this and waiting for their client */
};

static void
end_selected(struct str key, void *value, void *arg)
{
	const struct selection *s = arg;
	struct exchange *l = value;

	(void)key;
	if (s->from && l->from != s->from)
		return;
	if (s->before_ms && (l->started_ms >= s->before_ms || l->call))
		return;
	exchange_end(l);
}

void
exchange_drop_all(struct broker *b, const struct channel *from)
{
	map_each(b->logins, end_selected, &(struct selection){.from = from});
}

void
exchange_sweep(struct broker *b)
{
	map_each(b->logins, end_selected,
	    &(struct selection){.before_ms = clock_mono_ms() - EXCHANGE_AGE_MAX_MS});
}

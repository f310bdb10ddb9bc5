/*
 * guesses: see the header.
 */
#include "auth/guesses.h"

#include "auth/account_blocks.h"
#include "base/clock.h"
#include "base/log.h"

enum { PLACE_NAME_BYTES = LIMITED_KEY_MAX };

static struct failures_limit
guesses_rate(const struct conf_rate *rate)
{
	return (struct failures_limit){rate->count, rate->period_ms};
}

/* The login at this place, as one name; the length of the network tells where the login begins. */
static struct str
guesses_place(const struct exchange *l, char room[PLACE_NAME_BYTES])
{
	struct str user = claim_name(&l->claim), network = places_network(l->network);

	room[0] = (char)network.n;
	memcpy(room + 1, network.p, network.n);
	memcpy(room + 1 + network.n, user.p, user.n);
	return str_make(room, 1 + network.n + user.n);
}

static bool
guesses_is_exempt(const struct exchange *l)
{
	const struct conf_strs *all = &exchange_conf(l)->auth.exempt_networks;
	struct network client, network;

	if (all->count == 0 || !network_parse(l->client, &client))
		return false;
	for (size_t i = 0; i < all->count; i++)
		if (network_parse(all->str[i], &network) && network_has(&network, &client))
			return true;
	return false;
}

static bool
guesses_is_usual_place(const struct exchange *l)
{
	return places_has(l->broker->places, claim_name(&l->claim), l->network);
}

/* It was counted already: the same wrong password, or, once, a password after a SCRAM login of the
 * same name in the same session, for mail programs try one mechanism after the other. */
static bool
guesses_is_repeated(const struct exchange *l, int64_t period_ms)
{
	struct str user = claim_name(&l->claim), password = exchange_password(l);
	struct str session = str_make((const char *)&l->session, sizeof l->session);
	struct broker *b = l->broker;

	if (password.n == 0) {
		cache_add(b->scram_failed, user, session, EXCHANGE_AGE_MAX_MS);
		return false;
	}
	if (cache_has(b->wrong, user, password))
		return true;
	cache_add(b->wrong, user, password, period_ms);
	return cache_take(b->scram_failed, user, session);
}

/* The network that counts, as one that can be shown. */
static struct network
guesses_network(const struct exchange *l, enum failures_of what)
{
	struct str counts = what == FAILURES_OF_PLACE ? places_network(l->network) : l->network;
	struct network n = {.size = l->network.n == 4 ? 4 : NETWORK_BYTES_MAX,
	    .bits = (uint8_t)(8 * counts.n)};

	if (counts.n)
		memcpy(n.bytes, counts.p, counts.n);
	return n;
}

static bool
guesses_are_beyond(const struct exchange *l, enum failures_of what, struct str name,
    const struct conf_rate *rate)
{
	return rate->count > 0 &&
	    failures_count(l->broker->failures, what, name, guesses_rate(rate)) >= rate->count;
}

static void
guesses_begin_limited(const struct exchange *l, enum failures_of what, struct limited_entry *e)
{
	struct str user = claim_name(&l->claim);

	e->since_ms = clock_ms();
	e->network = guesses_network(l, what);
	e->refused = (struct block_refused){0};
	memset(e->user, 0, sizeof e->user);
	memcpy(e->user, user.p, user.n);
}

/* The name of a login is a guesser's word: it may be of no account. */
static void
guesses_alert(const struct exchange *l, enum failures_of what, const struct limited_entry *e)
{
	char network[NETWORK_TEXT_BYTES];
	const char *limit = account_blocks_key(what);

	network_text(&e->network, network);
	if (what == FAILURES_OF_NETWORK)
		role_alert(l->broker->role, NOTICE_ACCESS, str_of(network),
		    "network %s has failed too often and is refused for now (%s); the last login "
		    "that it tried is %s", network, limit, e->user);
	else
		role_alert(l->broker->role, NOTICE_ACCESS, str_of(e->user),
		    "login %s had too many wrong passwords %s%s, and is refused %s for now (%s)",
		    e->user, what == FAILURES_OF_LOGIN ? "from everywhere" : "from ",
		    what == FAILURES_OF_LOGIN ? "" : network,
		    what == FAILURES_OF_LOGIN ? "in places where it is new" : "there", limit);
}

/* The block begins.  By what is counted later it may last longer. */
static void
guesses_log_begin(const struct exchange *login, const struct limited_entry *e)
{
	static const char *const words[] = {[FAILURES_OF_NETWORK] = "network",
	    [FAILURES_OF_LOGIN] = "login", [FAILURES_OF_PLACE] = "login_at_network"};
	int64_t left_ms = account_blocks_left_ms(login->broker, e);
	char until[CLOCK_TEXT_BYTES], network[NETWORK_TEXT_BYTES];
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "auth block");
	log_str(&l, "what", str_of(words[e->what]));
	log_str(&l, "limit", str_of(account_blocks_key(e->what)));
	log_str(&l, "until", str_of(clock_iso(clock_ms() + left_ms, until)));
	if (e->what != FAILURES_OF_LOGIN)
		log_str(&l, "network", str_of(network_text(&e->network, network)));
	if (e->what != FAILURES_OF_NETWORK)
		log_user(&l, "user", str_of(e->user));
	log_end(&l);
}

/* One failure more; who reaches the limit is remembered by name, anew where an earlier time beyond
 * it was over. */
static void
guesses_add_to(const struct exchange *l, enum failures_of what, struct str name,
    const struct conf_rate *rate)
{
	bool was_beyond = guesses_are_beyond(l, what, name, rate);
	struct limited_entry *e;

	/* 0: no limit */
	if (rate->count == 0 ||
	    failures_add(l->broker->failures, what, name, guesses_rate(rate)) < rate->count)
		return;
	e = limited_ensure(l->broker->limited, what, name);
	if (e->since_ms == 0 || !was_beyond) {
		guesses_begin_limited(l, what, e);
		guesses_alert(l, what, e);
	}
	limited_used(l->broker->limited, e);
	block_note_last(&e->refused, claim_name(&l->claim), l->client);
	if (!was_beyond)
		guesses_log_begin(l, e);
}

static void
guesses_add(const struct exchange *l)
{
	const struct conf *conf = exchange_conf(l);
	const struct conf_rate *rate = &conf->auth.failure_limit;
	struct str user = claim_name(&l->claim);
	char room[PLACE_NAME_BYTES];

	guesses_add_to(l, FAILURES_OF_NETWORK, l->network, rate);
	/* of a login that is new there it is the network that is refused */
	if (guesses_is_usual_place(l))
		guesses_add_to(l, FAILURES_OF_PLACE, guesses_place(l, room), rate);
	guesses_add_to(l, FAILURES_OF_LOGIN, user, &conf->auth.login_failure_limit);
	(void)failures_add(l->broker->failures, FAILURES_OF_USER, user, guesses_rate(rate));
}

/* The operator's, or NULL. */
static struct block *
guesses_block(const struct exchange *l)
{
	struct network client;
	bool is_known = network_parse(l->client, &client);

	return blocks_find(l->broker->blocks, claim_name(&l->claim), is_known ? &client : NULL);
}

void
guesses_note_success(const struct exchange *l)
{
	char room[PLACE_NAME_BYTES];

	/* failures there are of a time before the place was forgotten */
	if (places_add(l->broker->places, claim_name(&l->claim), l->network))
		(void)failures_clear(
		    l->broker->failures, FAILURES_OF_PLACE, guesses_place(l, room));
}

void
guesses_note_refused(const struct exchange *l, enum guesses_limit limit)
{
	struct str user = claim_name(&l->claim);
	struct limited_entry *e = NULL;
	struct block *block = guesses_block(l);
	char room[PLACE_NAME_BYTES];

	if (block)
		block_note_refused(&block->refused, user, l->client);
	else if (limit == GUESSES_NETWORK)
		e = limited_find(l->broker->limited, FAILURES_OF_NETWORK, l->network);
	else if (limit == GUESSES_PLACE)
		e = limited_find(l->broker->limited, FAILURES_OF_PLACE, guesses_place(l, room));
	else if (limit == GUESSES_LOGIN)
		e = limited_find(l->broker->limited, FAILURES_OF_LOGIN, user);
	if (!e)
		return;
	limited_used(l->broker->limited, e);
	block_note_refused(&e->refused, user, l->client);
}

/* Where the user is known to be, guesses from other places slow nobody, and those from the same
 * place do. */
static int64_t
guesses_delay_ms(const struct exchange *l)
{
	struct failures_limit limit = guesses_rate(&exchange_conf(l)->auth.failure_limit);
	char room[PLACE_NAME_BYTES];
	struct failures *f = l->broker->failures;
	uint64_t network = failures_count(f, FAILURES_OF_NETWORK, l->network, limit);
	uint64_t login = guesses_is_usual_place(l)
	    ? failures_count(f, FAILURES_OF_PLACE, guesses_place(l, room), limit)
	    : failures_count(f, FAILURES_OF_USER, claim_name(&l->claim), limit);
	uint64_t count = login > network ? login : network;

	return failures_delay_ms(count ? count : 1);
}

struct guesses_counted
guesses_count(const struct exchange *l)
{
	const struct conf *conf = exchange_conf(l);
	int64_t period_ms = conf->auth.login_failure_limit.period_ms;
	bool is_new;

	if (l->is_test)
		return (struct guesses_counted){false, 0};
	if (guesses_is_exempt(l))
		return (struct guesses_counted){false, failures_delay_ms(1)};
	if (period_ms < conf->auth.failure_limit.period_ms)
		period_ms = conf->auth.failure_limit.period_ms;
	is_new = !guesses_is_repeated(l, period_ms);
	if (is_new)
		guesses_add(l);
	return (struct guesses_counted){is_new, guesses_delay_ms(l)};
}

enum guesses_limit
guesses_limit(const struct exchange *l)
{
	const struct conf *conf = exchange_conf(l);
	const struct conf_rate *rate = &conf->auth.failure_limit;
	struct str user = claim_name(&l->claim);
	char room[PLACE_NAME_BYTES];
	const struct block *block;

	if (l->is_test || user.n == 0)
		return GUESSES_WITHIN;
	block = guesses_block(l);
	if (block)
		return block->target.is_network ? GUESSES_BLOCKED_NETWORK : GUESSES_BLOCKED_USER;
	if (guesses_is_exempt(l))
		return GUESSES_WITHIN;
	if (guesses_is_usual_place(l))
		return guesses_are_beyond(l, FAILURES_OF_PLACE, guesses_place(l, room), rate)
		    ? GUESSES_PLACE
		    : GUESSES_WITHIN;
	if (guesses_are_beyond(l, FAILURES_OF_NETWORK, l->network, rate))
		return GUESSES_NETWORK;
	return guesses_are_beyond(l, FAILURES_OF_LOGIN, user, &conf->auth.login_failure_limit)
	    ? GUESSES_LOGIN
	    : GUESSES_WITHIN;
}

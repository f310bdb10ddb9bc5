/*
 * guesses: see the header.
 */
#include "auth/guesses.h"

#include "auth/account_blocks.h"
#include "base/clock.h"
#include "base/log.h"

enum { LOGIN_AT_NETWORK_BYTES = FAILURE_LIST_KEY_MAX };

static struct failures_limit
guesses_rate(const struct conf_rate *rate)
{
	return (struct failures_limit){rate->count, rate->period_ms};
}

/* The login at this place, as one name; the length of the network tells where the login begins. */
static struct str
guesses_login_at_network(const struct auth_session *l, char room[LOGIN_AT_NETWORK_BYTES])
{
	struct str user = claimed_name(&l->claim), network = usual_networks_part(l->network);

	room[0] = (char)network.n;
	memcpy(room + 1, network.p, network.n);
	memcpy(room + 1 + network.n, user.p, user.n);
	return str_make(room, 1 + network.n + user.n);
}

static bool
guesses_is_exempt(const struct auth_session *l)
{
	const struct conf_strs *all = &auth_session_conf(l)->auth.exempt_networks;
	struct network client, network;

	if (all->count == 0 || !network_parse(l->client, &client))
		return false;
	for (size_t i = 0; i < all->count; i++)
		if (network_parse(all->str[i], &network) && network_has(&network, &client))
			return true;
	return false;
}

static bool
guesses_is_usual_network(const struct auth_session *l)
{
	return usual_networks_has(l->broker->places, claimed_name(&l->claim), l->network);
}

/* It was counted already: the same wrong password, or, once, a password after a SCRAM login of the
 * same name in the same session, for mail programs try one mechanism after the other. */
static bool
guesses_is_repeated(const struct auth_session *l, int64_t period_ms)
{
	struct str user = claimed_name(&l->claim), password = auth_session_password(l);
	struct str session = str_make((const char *)&l->session, sizeof l->session);
	struct broker *b = l->broker;

	if (password.n == 0) {
		password_cache_add(b->scram_failed, user, session, AUTH_SESSION_AGE_MAX_MS);
		return false;
	}
	if (password_cache_has(b->wrong, user, password))
		return true;
	password_cache_add(b->wrong, user, password, period_ms);
	return password_cache_take(b->scram_failed, user, session);
}

/* The network that counts, as one that can be shown. */
static struct network
guesses_network(const struct auth_session *l, enum failures_of what)
{
	struct str counts =
	    what == FAILURES_OF_LOGIN_AT_NETWORK ? usual_networks_part(l->network) : l->network;
	struct network n = {.size = l->network.n == 4 ? 4 : NETWORK_BYTES_MAX,
	    .bits = (uint8_t)(8 * counts.n)};

	if (counts.n)
		memcpy(n.bytes, counts.p, counts.n);
	return n;
}

static bool
guesses_are_over_limit(const struct auth_session *l, enum failures_of what, struct str name,
    const struct conf_rate *rate)
{
	return rate->count > 0 &&
	    failures_count(l->broker->failures, what, name, guesses_rate(rate)) >= rate->count;
}

static void
guesses_begin_limited(
    const struct auth_session *l, enum failures_of what, struct failure_list_entry *e)
{
	struct str user = claimed_name(&l->claim);

	e->since_ms = clock_ms();
	e->network = guesses_network(l, what);
	e->refused = (struct blocklist_refused){0};
	memset(e->user, 0, sizeof e->user);
	memcpy(e->user, user.p, user.n);
}

/* The name of a login is a guesser's word: it may be of no account. */
static void
guesses_alert(
    const struct auth_session *l, enum failures_of what, const struct failure_list_entry *e)
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
guesses_log_begin(const struct auth_session *login, const struct failure_list_entry *e)
{
	static const char *const words[] = {[FAILURES_OF_NETWORK] = "network",
	    [FAILURES_OF_LOGIN] = "login", [FAILURES_OF_LOGIN_AT_NETWORK] = "login_at_network"};
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
guesses_add_to(const struct auth_session *l, enum failures_of what, struct str name,
    const struct conf_rate *rate)
{
	bool was_beyond = guesses_are_over_limit(l, what, name, rate);
	struct failure_list_entry *e;

	/* 0: no limit */
	if (rate->count == 0 ||
	    failures_add(l->broker->failures, what, name, guesses_rate(rate)) < rate->count)
		return;
	e = failure_list_ensure(l->broker->limited, what, name);
	if (e->since_ms == 0 || !was_beyond) {
		guesses_begin_limited(l, what, e);
		guesses_alert(l, what, e);
	}
	failure_list_used(l->broker->limited, e);
	blocklist_note_last(&e->refused, claimed_name(&l->claim), l->client);
	if (!was_beyond)
		guesses_log_begin(l, e);
}

static void
guesses_add(const struct auth_session *l)
{
	const struct conf *conf = auth_session_conf(l);
	const struct conf_rate *rate = &conf->auth.failure_limit;
	struct str user = claimed_name(&l->claim);
	char room[LOGIN_AT_NETWORK_BYTES];

	guesses_add_to(l, FAILURES_OF_NETWORK, l->network, rate);
	/* of a login that is new there it is the network that is refused */
	if (guesses_is_usual_network(l))
		guesses_add_to(
		    l, FAILURES_OF_LOGIN_AT_NETWORK, guesses_login_at_network(l, room), rate);
	guesses_add_to(l, FAILURES_OF_LOGIN, user, &conf->auth.login_failure_limit);
	(void)failures_add(l->broker->failures, FAILURES_OF_USER, user, guesses_rate(rate));
}

/* The operator's, or NULL. */
static struct blocklist_entry *
guesses_block(const struct auth_session *l)
{
	struct network client;
	bool is_known = network_parse(l->client, &client);

	return blocklist_find(
	    l->broker->blocks, claimed_name(&l->claim), is_known ? &client : NULL);
}

void
guesses_note_success(const struct auth_session *l)
{
	char room[LOGIN_AT_NETWORK_BYTES];

	/* failures there are of a time before the place was forgotten */
	if (usual_networks_add(l->broker->places, claimed_name(&l->claim), l->network))
		(void)failures_clear(l->broker->failures, FAILURES_OF_LOGIN_AT_NETWORK,
		    guesses_login_at_network(l, room));
}

void
guesses_note_refused(const struct auth_session *l, enum guesses_limit limit)
{
	struct str user = claimed_name(&l->claim);
	struct failure_list_entry *e = NULL;
	struct blocklist_entry *block = guesses_block(l);
	char room[LOGIN_AT_NETWORK_BYTES];

	if (block)
		blocklist_note_refused(&block->refused, user, l->client);
	else if (limit == GUESSES_NETWORK)
		e = failure_list_find(l->broker->limited, FAILURES_OF_NETWORK, l->network);
	else if (limit == GUESSES_LOGIN_AT_NETWORK)
		e = failure_list_find(l->broker->limited, FAILURES_OF_LOGIN_AT_NETWORK,
		    guesses_login_at_network(l, room));
	else if (limit == GUESSES_LOGIN)
		e = failure_list_find(l->broker->limited, FAILURES_OF_LOGIN, user);
	if (!e)
		return;
	failure_list_used(l->broker->limited, e);
	blocklist_note_refused(&e->refused, user, l->client);
}

/* Where the user is known to be, guesses from other places slow nobody, and those from the same
 * place do. */
static int64_t
guesses_delay_ms(const struct auth_session *l)
{
	struct failures_limit limit = guesses_rate(&auth_session_conf(l)->auth.failure_limit);
	char room[LOGIN_AT_NETWORK_BYTES];
	struct failures *f = l->broker->failures;
	uint64_t network = failures_count(f, FAILURES_OF_NETWORK, l->network, limit);
	uint64_t login = guesses_is_usual_network(l)
	                     ? failures_count(f, FAILURES_OF_LOGIN_AT_NETWORK,
	                           guesses_login_at_network(l, room), limit)
	                     : failures_count(f, FAILURES_OF_USER, claimed_name(&l->claim), limit);
	uint64_t count = login > network ? login : network;

	return failures_delay_ms(count ? count : 1);
}

struct guesses_counted
guesses_count(const struct auth_session *l)
{
	const struct conf *conf = auth_session_conf(l);
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
guesses_limit(const struct auth_session *l)
{
	const struct conf *conf = auth_session_conf(l);
	const struct conf_rate *rate = &conf->auth.failure_limit;
	struct str user = claimed_name(&l->claim);
	char room[LOGIN_AT_NETWORK_BYTES];
	const struct blocklist_entry *block;

	if (l->is_test || user.n == 0)
		return GUESSES_WITHIN_LIMITS;
	block = guesses_block(l);
	if (block)
		return block->target.is_network ? GUESSES_BLOCKED_NETWORK : GUESSES_BLOCKED_USER;
	if (guesses_is_exempt(l))
		return GUESSES_WITHIN_LIMITS;
	if (guesses_is_usual_network(l))
		return guesses_are_over_limit(
		           l, FAILURES_OF_LOGIN_AT_NETWORK, guesses_login_at_network(l, room), rate)
		           ? GUESSES_LOGIN_AT_NETWORK
		           : GUESSES_WITHIN_LIMITS;
	if (guesses_are_over_limit(l, FAILURES_OF_NETWORK, l->network, rate))
		return GUESSES_NETWORK;
	return guesses_are_over_limit(l, FAILURES_OF_LOGIN, user, &conf->auth.login_failure_limit)
	    ? GUESSES_LOGIN
	    : GUESSES_WITHIN_LIMITS;
}

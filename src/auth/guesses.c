/*
 * guesses: the counts, the list for the operator, the blocks and the usual networks belong to the
 * broker; nothing is stored here. An operator's block comes before everything else, and also holds
 * for exempt networks. Where a login is usual, only its failures there refuse it: guesses from
 * elsewhere do not. A test by an operator is neither counted nor refused.
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

/* The login at this usual network, as one name. The first byte is the length of the network, so no
 * two pairs give the same name. */
static struct str
guesses_login_at_network(const struct auth_session *s, char buffer[LOGIN_AT_NETWORK_BYTES])
{
	struct str user = claimed_name(&s->identity), network = usual_networks_part(s->network);

	buffer[0] = (char)network.n;
	memcpy(buffer + 1, network.p, network.n);
	memcpy(buffer + 1 + network.n, user.p, user.n);
	return str_make(buffer, 1 + network.n + user.n);
}

static bool
guesses_is_exempt(const struct auth_session *s)
{
	const struct conf_strs *all = &auth_session_conf(s)->auth.exempt_networks;
	struct network client, network;

	if (all->count == 0 || !network_parse(s->client, &client))
		return false;
	for (size_t i = 0; i < all->count; i++)
		if (network_parse(all->str[i], &network) && network_has(&network, &client))
			return true;
	return false;
}

static bool
guesses_is_usual_network(const struct auth_session *s)
{
	return usual_networks_has(
	    s->broker->usual_networks, claimed_name(&s->identity), s->network);
}

/* True: this failure was counted already: it is the same wrong password again, or the first
 * password after a failed SCRAM login of the same user in the same session, because mail programs
 * try one mechanism after the other. */
static bool
guesses_is_repeated(const struct auth_session *s, int64_t period_ms)
{
	struct str user = claimed_name(&s->identity), password = auth_session_password(s);
	struct str session = str_make((const char *)&s->id, sizeof s->id);
	struct broker *b = s->broker;

	if (password.n == 0) {
		password_cache_add(b->scram_failures, user, session, AUTH_SESSION_AGE_MAX_MS);
		return false;
	}
	if (password_cache_has(b->wrong_passwords, user, password))
		return true;
	password_cache_add(b->wrong_passwords, user, password, period_ms);
	return password_cache_take(b->scram_failures, user, session);
}

/* The network that is counted, in a form that can be shown. */
static struct network
guesses_network(const struct auth_session *s, enum failures_of kind)
{
	struct str counts =
	    kind == FAILURES_OF_LOGIN_AT_NETWORK ? usual_networks_part(s->network) : s->network;
	struct network n = {.size = s->network.n == 4 ? 4 : NETWORK_BYTES_MAX,
	    .bits = (uint8_t)(8 * counts.n)};

	if (counts.n)
		memcpy(n.bytes, counts.p, counts.n);
	return n;
}

static bool
guesses_are_over_limit(const struct auth_session *s, enum failures_of kind, struct str name,
    const struct conf_rate *rate)
{
	return rate->count > 0 &&
	    failures_count(s->broker->failures, kind, name, guesses_rate(rate)) >= rate->count;
}

static void
guesses_begin_limited(
    const struct auth_session *s, enum failures_of kind, struct failure_list_entry *e)
{
	struct str user = claimed_name(&s->identity);

	e->since_ms = clock_ms();
	e->network = guesses_network(s, kind);
	e->refused = (struct blocklist_refused){0};
	memset(e->user, 0, sizeof e->user);
	memcpy(e->user, user.p, user.n);
}

/* The login name was chosen by a guesser: there may be no such account. */
static void
guesses_alert(
    const struct auth_session *s, enum failures_of kind, const struct failure_list_entry *e)
{
	char network[NETWORK_TEXT_BYTES];
	const char *limit = account_blocks_key(kind);

	network_text(&e->network, network);
	if (kind == FAILURES_OF_NETWORK)
		role_alert(s->broker->role, NOTICE_ACCESS, str_of(network),
		    "network %s has failed too often and is refused for now (%s); the last login "
		    "that it tried is %s", network, limit, e->user);
	else
		role_alert(s->broker->role, NOTICE_ACCESS, str_of(e->user),
		    "login %s had too many wrong passwords %s%s, and is refused %s for now (%s)",
		    e->user, kind == FAILURES_OF_LOGIN ? "from everywhere" : "from ",
		    kind == FAILURES_OF_LOGIN ? "" : network,
		    kind == FAILURES_OF_LOGIN ? "in networks where it is new" : "there", limit);
}

/* The block begins now. Later failures may prolong it. */
static void
guesses_log_begin(const struct auth_session *s, const struct failure_list_entry *e)
{
	static const char *const words[] = {[FAILURES_OF_NETWORK] = "network",
	    [FAILURES_OF_LOGIN] = "login", [FAILURES_OF_LOGIN_AT_NETWORK] = "login_at_network"};
	int64_t left_ms = account_blocks_left_ms(s->broker, e);
	char until[CLOCK_TEXT_BYTES], network[NETWORK_TEXT_BYTES];
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "auth block");
	log_str(&l, "what", str_of(words[e->kind]));
	log_str(&l, "limit", str_of(account_blocks_key(e->kind)));
	log_str(&l, "until", str_of(clock_iso(clock_ms() + left_ms, until)));
	if (e->kind != FAILURES_OF_LOGIN)
		log_str(&l, "network", str_of(network_text(&e->network, network)));
	if (e->kind != FAILURES_OF_NETWORK)
		log_user(&l, "user", str_of(e->user));
	log_end(&l);
}

/* Counts one failure. A name that reaches its limit gets an entry in the list; the entry starts
 * again if an earlier block had ended before. */
static void
guesses_add_to(const struct auth_session *s, enum failures_of kind, struct str name,
    const struct conf_rate *rate)
{
	bool was_over_limit = guesses_are_over_limit(s, kind, name, rate);
	struct failure_list_entry *e;

	/* 0: no limit */
	if (rate->count == 0 ||
	    failures_add(s->broker->failures, kind, name, guesses_rate(rate)) < rate->count)
		return;
	e = failure_list_ensure(s->broker->failure_list, kind, name);
	if (e->since_ms == 0 || !was_over_limit) {
		guesses_begin_limited(s, kind, e);
		guesses_alert(s, kind, e);
	}
	failure_list_used(s->broker->failure_list, e);
	blocklist_note_last(&e->refused, claimed_name(&s->identity), s->client);
	if (!was_over_limit)
		guesses_log_begin(s, e);
}

static void
guesses_add(const struct auth_session *s)
{
	const struct conf *conf = auth_session_conf(s);
	const struct conf_rate *rate = &conf->auth.failure_limit;
	struct str user = claimed_name(&s->identity);
	char buffer[LOGIN_AT_NETWORK_BYTES];

	guesses_add_to(s, FAILURES_OF_NETWORK, s->network, rate);
	/* while the login is new there, only its network is counted */
	if (guesses_is_usual_network(s))
		guesses_add_to(
		    s, FAILURES_OF_LOGIN_AT_NETWORK, guesses_login_at_network(s, buffer), rate);
	guesses_add_to(s, FAILURES_OF_LOGIN, user, &conf->auth.login_failure_limit);
	(void)failures_add(s->broker->failures, FAILURES_OF_USER, user, guesses_rate(rate));
}

/* The operator's block for this login, or NULL. */
static struct blocklist_entry *
guesses_block(const struct auth_session *s)
{
	struct network client;
	bool is_known = network_parse(s->client, &client);

	return blocklist_find(
	    s->broker->blocks, claimed_name(&s->identity), is_known ? &client : NULL);
}

void
guesses_note_success(const struct auth_session *s)
{
	char buffer[LOGIN_AT_NETWORK_BYTES];

	/* failures at this network are from a time before it was forgotten */
	if (usual_networks_add(s->broker->usual_networks, claimed_name(&s->identity), s->network))
		(void)failures_clear(s->broker->failures, FAILURES_OF_LOGIN_AT_NETWORK,
		    guesses_login_at_network(s, buffer));
}

void
guesses_note_refused(const struct auth_session *s, enum guesses_limit limit)
{
	struct str user = claimed_name(&s->identity);
	struct failure_list_entry *e = NULL;
	struct blocklist_entry *block = guesses_block(s);
	char buffer[LOGIN_AT_NETWORK_BYTES];

	if (block)
		blocklist_note_refused(&block->refused, user, s->client);
	else if (limit == GUESSES_NETWORK)
		e = failure_list_find(s->broker->failure_list, FAILURES_OF_NETWORK, s->network);
	else if (limit == GUESSES_LOGIN_AT_NETWORK)
		e = failure_list_find(s->broker->failure_list, FAILURES_OF_LOGIN_AT_NETWORK,
		    guesses_login_at_network(s, buffer));
	else if (limit == GUESSES_LOGIN)
		e = failure_list_find(s->broker->failure_list, FAILURES_OF_LOGIN, user);
	if (!e)
		return;
	failure_list_used(s->broker->failure_list, e);
	blocklist_note_refused(&e->refused, user, s->client);
}

/* Where the login is usual, guesses from other networks do not slow it down, and those from the
 * same network do. */
static int64_t
guesses_delay_ms(const struct auth_session *s)
{
	struct failures_limit limit = guesses_rate(&auth_session_conf(s)->auth.failure_limit);
	char buffer[LOGIN_AT_NETWORK_BYTES];
	struct failures *f = s->broker->failures;
	uint64_t network = failures_count(f, FAILURES_OF_NETWORK, s->network, limit);
	uint64_t login =
	    guesses_is_usual_network(s)
	        ? failures_count(
	              f, FAILURES_OF_LOGIN_AT_NETWORK, guesses_login_at_network(s, buffer), limit)
	        : failures_count(f, FAILURES_OF_USER, claimed_name(&s->identity), limit);
	uint64_t count = login > network ? login : network;

	return failures_delay_ms(count ? count : 1);
}

struct guesses_counted
guesses_count(const struct auth_session *s)
{
	const struct conf *conf = auth_session_conf(s);
	int64_t period_ms = conf->auth.login_failure_limit.period_ms;
	bool is_new;

	if (s->is_test)
		return (struct guesses_counted){false, 0};
	if (guesses_is_exempt(s))
		return (struct guesses_counted){false, failures_delay_ms(1)};
	if (period_ms < conf->auth.failure_limit.period_ms)
		period_ms = conf->auth.failure_limit.period_ms;
	is_new = !guesses_is_repeated(s, period_ms);
	if (is_new)
		guesses_add(s);
	return (struct guesses_counted){is_new, guesses_delay_ms(s)};
}

enum guesses_limit
guesses_limit(const struct auth_session *s)
{
	const struct conf *conf = auth_session_conf(s);
	const struct conf_rate *rate = &conf->auth.failure_limit;
	struct str user = claimed_name(&s->identity);
	char buffer[LOGIN_AT_NETWORK_BYTES];
	const struct blocklist_entry *block;

	if (s->is_test || user.n == 0)
		return GUESSES_WITHIN_LIMITS;
	block = guesses_block(s);
	if (block)
		return block->target.is_network ? GUESSES_BLOCKED_NETWORK : GUESSES_BLOCKED_USER;
	if (guesses_is_exempt(s))
		return GUESSES_WITHIN_LIMITS;
	if (guesses_is_usual_network(s))
		return guesses_are_over_limit(s, FAILURES_OF_LOGIN_AT_NETWORK,
		           guesses_login_at_network(s, buffer), rate)
		           ? GUESSES_LOGIN_AT_NETWORK
		           : GUESSES_WITHIN_LIMITS;
	if (guesses_are_over_limit(s, FAILURES_OF_NETWORK, s->network, rate))
		return GUESSES_NETWORK;
	return guesses_are_over_limit(s, FAILURES_OF_LOGIN, user, &conf->auth.login_failure_limit)
	    ? GUESSES_LOGIN
	    : GUESSES_WITHIN_LIMITS;
}

/*
 * account_blocks: reads the blocks and the counts of the broker and changes none of them. Blocks of
 * networks are found only in the list of failures; the limit of the login is asked for by its own
 * count. A block of a network concerns the login when its last successful login came from there, or
 * when it was the last one refused there. The number of texts is bounded.
 */
#include "auth/account_blocks.h"

#include <string.h>

#include "base/clock.h"

enum { ACCOUNT_BLOCKS_TEXT_BYTES = 1024, ACCOUNT_BLOCKS_MAX = 8 };

struct account_blocks {
	const struct broker *broker;
	struct str user;
	struct network last_login; /* size 0: not known */
	struct buf *values;
	/* how many blocks were found; only the first ACCOUNT_BLOCKS_MAX are added */
	unsigned count;
};

const char *
account_blocks_key(enum failures_of kind)
{
	return kind == FAILURES_OF_LOGIN ? "auth.login_failure_limit" : "auth.failure_limit";
}

static int64_t
account_blocks_left_of(const struct broker *b, enum failures_of kind, struct str key)
{
	const struct conf *conf = b->role->conf;
	const struct conf_rate *rate = kind == FAILURES_OF_LOGIN ? &conf->auth.login_failure_limit
								 : &conf->auth.failure_limit;
	struct failures_limit limit = {rate->count, rate->period_ms};

	return failures_left_ms(b->failures, kind, key, limit);
}

int64_t
account_blocks_left_ms(const struct broker *b, const struct failure_list_entry *e)
{
	return account_blocks_left_of(b, e->kind, str_make(e->key, e->key_n));
}

/* Adds " since … until …"; since_ms 0: the start is not known, and is left out. */
static void
account_blocks_add_times(struct buf *text, int64_t since_ms, int64_t until_ms)
{
	char time[CLOCK_TEXT_BYTES];

	if (since_ms)
		buf_addf(text, " since %s", clock_iso(since_ms, time));
	buf_addf(text, " until %s", clock_iso(until_ms, time));
}

static void
account_blocks_add_text(struct account_blocks *a, struct buf *text)
{
	if (a->count++ < ACCOUNT_BLOCKS_MAX)
		message_values_add(a->values, "blocked", buf_str(text));
	buf_clear(text);
}

static bool
account_blocks_is_of_network(const struct account_blocks *a, const struct network *n,
    const struct blocklist_refused *refused)
{
	return (a->last_login.size && network_has(n, &a->last_login)) ||
	    str_eq(str_of(refused->last_user), a->user);
}

/* ---- blocks by an operator ---- */

static void
account_blocks_add_manual(const struct blocklist_entry *block, void *arg)
{
	struct account_blocks *a = arg;
	char network[NETWORK_TEXT_BYTES];
	struct buf text;

	if (block->target.is_network
		? !account_blocks_is_of_network(a, &block->target.network, &block->refused)
		: !str_eq(str_of(block->target.user), a->user))
		return;
	buf_init(&text, ACCOUNT_BLOCKS_TEXT_BYTES);
	if (block->target.is_network)
		buf_addf(&text, "network %s", network_text(&block->target.network, network));
	else
		buf_addz(&text, "everywhere");
	buf_addf(&text, ", by %s", block->by);
	account_blocks_add_times(&text, block->since_ms, block->until_ms);
	if (block->reason[0])
		buf_addf(&text, ": %s", block->reason);
	account_blocks_add_text(a, &text);
}

/* ---- blocks by the limits of failures ---- */

static void
account_blocks_add_limited(
    struct account_blocks *a, const struct failure_list_entry *e, int64_t left_ms)
{
	char network[NETWORK_TEXT_BYTES];
	struct buf text;

	buf_init(&text, ACCOUNT_BLOCKS_TEXT_BYTES);
	if (e->kind == FAILURES_OF_LOGIN)
		buf_addz(&text, "in networks where it is new");
	else
		buf_addf(&text, "%s %s",
		    e->kind == FAILURES_OF_LOGIN_AT_NETWORK ? "login at" : "network",
		    network_text(&e->network, network));
	buf_addf(&text, ", by %s", account_blocks_key(e->kind));
	account_blocks_add_times(&text, e->since_ms, clock_ms() + left_ms);
	account_blocks_add_text(a, &text);
}

static bool
account_blocks_is_about(const struct account_blocks *a, const struct failure_list_entry *e)
{
	if (e->since_ms == 0 || e->kind == FAILURES_OF_LOGIN)
		return false;
	return e->kind == FAILURES_OF_LOGIN_AT_NETWORK
	    ? str_eq(str_of(e->user), a->user)
	    : account_blocks_is_of_network(a, &e->network, &e->refused);
}

/* The limit of the login also holds when its entry is no longer in the list. */
static void
account_blocks_add_login(struct account_blocks *a)
{
	const struct failure_list_entry *e =
	    failure_list_find(a->broker->failure_list, FAILURES_OF_LOGIN, a->user);
	struct failure_list_entry unlisted = {.kind = FAILURES_OF_LOGIN};
	int64_t left_ms = account_blocks_left_of(a->broker, FAILURES_OF_LOGIN, a->user);

	if (left_ms > 0)
		account_blocks_add_limited(a, e ? e : &unlisted, left_ms);
}

void
account_blocks_add(const struct broker *b, struct str user, struct buf *values)
{
	const struct last_login *last = last_logins_get(b->last_logins, user);
	struct account_blocks a = {.broker = b, .user = user, .values = values};
	int64_t left_ms;

	if (!last || !network_parse(str_of(last->client), &a.last_login))
		a.last_login.size = 0;
	blocklist_each(b->blocks, account_blocks_add_manual, &a);
	account_blocks_add_login(&a);
	for (size_t i = 0; i < FAILURE_LIST_MAX; i++) {
		const struct failure_list_entry *e = &b->failure_list->entry[i];

		left_ms = account_blocks_is_about(&a, e) ? account_blocks_left_ms(b, e) : 0;
		if (left_ms > 0)
			account_blocks_add_limited(&a, e, left_ms);
	}
}

const char *
account_blocks_reason(const struct broker *b, struct str user)
{
	if (blocklist_find(b->blocks, user, NULL))
		return "user_blocked";
	return account_blocks_left_of(b, FAILURES_OF_LOGIN, user) > 0 ? "login_limited" : NULL;
}

/*
 * rate_limits: the users are divided into parts by a hash of their names, which is the same in
 * every process.  How many tokens are lent beyond those that are wanted is decided here, in one
 * step with taking them.
 */
#include "queue/rate_limits.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/log.h"
#include "base/mem.h"
#include "spool/spool.h"

enum {
	PARTS = 64,
	NAME_BYTES = 16,
	NEAR_PART = 4,  /* near the limit: a quarter of it or less is free */
	SPARE_PART = 8, /* so much of what is free is lent beyond what is wanted */
};

struct rate_limits_part {
	struct limits *limits;
	bool is_changed;
};

struct rate_limits {
	struct limit_store store;
	struct rate_limits_part parts[PARTS];
};

static const struct limit_store_operations rate_limits_operations;

struct rate_limits *
rate_limits_new(void)
{
	struct rate_limits *all = MEM_NEW(struct rate_limits);

	all->store.operations = &rate_limits_operations;
	for (size_t i = 0; i < PARTS; i++)
		all->parts[i].limits = limits_new();
	return all;
}

void
rate_limits_free(struct rate_limits **all)
{
	if (!*all)
		return;
	for (size_t i = 0; i < PARTS; i++)
		limits_free(&(*all)->parts[i].limits);
	mem_free(*all);
	*all = NULL;
}

static struct rate_limits_part *
part_of(struct rate_limits *all, struct str user)
{
	return &all->parts[crc32c(0, user.p, user.n) % PARTS];
}

int64_t
rate_limits_take(
    struct rate_limits *all, struct str user, const struct conf_rates *rates, uint64_t n)
{
	struct rate_limits_part *part = part_of(all, user);
	int64_t retry_ms = limits_take(part->limits, user, rates, n, clock_ms());

	if (retry_ms == 0)
		part->is_changed = true;
	return retry_ms;
}

void
rate_limits_give_back(
    struct rate_limits *all, struct str user, const struct conf_rates *rates, uint64_t n)
{
	struct rate_limits_part *part = part_of(all, user);

	limits_give_back(part->limits, user, rates, n);
	part->is_changed = true;
}

static struct str
part_name(size_t i, char room[NAME_BYTES])
{
	snprintf(room, NAME_BYTES, "limits.%zu", i);
	return str_of(room);
}

bool
rate_limits_load(struct rate_limits *all, struct str name, struct str value)
{
	char room[NAME_BYTES];

	for (size_t i = 0; i < PARTS; i++)
		if (str_eq(name, part_name(i, room)))
			return limits_load(all->parts[i].limits, value);
	return false;
}

void
rate_limits_save(struct rate_limits *all, rate_limits_fn *fn, void *arg)
{
	char room[NAME_BYTES];
	struct buf value;

	buf_init(&value, SPOOL_NOTE_MAX);
	for (size_t i = 0; i < PARTS; i++) {
		struct rate_limits_part *part = &all->parts[i];

		if (!part->is_changed)
			continue;
		buf_reset(&value);
		limits_prune(part->limits, clock_ms());
		limits_save(part->limits, &value);
		if (!buf_ok(&value))
			log_warn("limits: too many users: the use of the limits is not stored");
		else if (!fn(part_name(i, room), buf_str(&value), arg))
			continue;
		part->is_changed = false;
	}
	buf_clear(&value);
}

/* ---- as a limit store ---- */

/* How many tokens to lend: more than wanted only while many are free. */
static uint64_t
rate_limits_amount(const struct limit_store_question *question, uint64_t spare, bool is_near)
{
	uint64_t more = is_near ? 0 : spare / SPARE_PART;

	more = more < question->more_max ? more : question->more_max;
	if (question->wanted <= more)
		return more;
	return question->wanted < spare || spare == 0 ? question->wanted : spare;
}

static struct limit_store_call *
rate_limits_store_take(struct limit_store *store, const struct limit_store_question *question,
    limit_store_fn *fn, void *arg)
{
	struct rate_limits *all = (struct rate_limits *)store;
	struct limits *limits = part_of(all, question->user)->limits;
	uint64_t spare = limits_spare(limits, question->user, question->rates, clock_ms()), amount;
	struct limit_store_taken taken = {.is_near = limits_is_near(
	                                      limits, question->user, question->rates, NEAR_PART,
	                                      clock_ms())};

	amount = rate_limits_amount(question, spare, taken.is_near);
	taken.retry_ms = rate_limits_take(all, question->user, question->rates, amount);
	if (taken.retry_ms == 0)
		taken.tokens = amount;
	else
		limits_get_use(limits, question->user, question->rates, clock_ms(), &taken.use);
	fn(&taken, arg);
	return NULL;
}

static void
rate_limits_store_give_back(
    struct limit_store *store, struct str user, const struct conf_rates *rates, uint64_t n)
{
	rate_limits_give_back((struct rate_limits *)store, user, rates, n);
}

static void
rate_limits_store_spend(
    struct limit_store *store, struct str user, const struct conf_rates *rates, uint64_t n)
{
	struct rate_limits *all = (struct rate_limits *)store;
	uint64_t spare = limits_spare(part_of(all, user)->limits, user, rates, clock_ms());

	(void)!rate_limits_take(all, user, rates, spare < n ? spare : n);
}

static void
rate_limits_store_peek(struct limit_store *store, struct str user, const struct conf_rates *rates,
    struct limits_use *out)
{
	struct rate_limits *all = (struct rate_limits *)store;

	limits_get_use(part_of(all, user)->limits, user, rates, clock_ms(), out);
}

static const struct limit_store_operations rate_limits_operations = {
    .take = rate_limits_store_take,
    .give_back = rate_limits_store_give_back,
    .spend = rate_limits_store_spend,
    .peek = rate_limits_store_peek,
};

struct limit_store *
rate_limits_store(struct rate_limits *all)
{
	return &all->store;
}

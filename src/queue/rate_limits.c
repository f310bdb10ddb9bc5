/*
 * rate_limits: see the header.  A user is in the same part in every process.
 */
#include "queue/rate_limits.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/log.h"
#include "base/mem.h"
#include "spool/spool.h"

enum { PARTS = 64, NAME_BYTES = 16 };

struct rate_limits_part {
	struct limits *limits;
	bool is_changed;
};

struct rate_limits {
	struct rate_limits_part parts[PARTS];
};

struct rate_limits *
rate_limits_new(void)
{
	struct rate_limits *all = MEM_NEW(struct rate_limits);

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

bool
rate_limits_is_near(
    struct rate_limits *all, struct str user, const struct conf_rates *rates, unsigned part)
{
	return limits_is_near(part_of(all, user)->limits, user, rates, part, clock_ms());
}

uint64_t
rate_limits_spare(struct rate_limits *all, struct str user, const struct conf_rates *rates)
{
	return limits_spare(part_of(all, user)->limits, user, rates, clock_ms());
}

void
rate_limits_look(struct rate_limits *all, struct str user, const struct conf_rates *rates,
    struct limits_use *out)
{
	limits_get_use(part_of(all, user)->limits, user, rates, clock_ms(), out);
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

/*
 * lookups: see the header.
 */
#include "queue/lookups.h"

#include "base/mem.h"

enum { TURN_BITS = 40, PART = 2 };

struct sched_lookup_queue {
	struct timer order; /* set while something waits */
	const void *user;
	TAILQ_HEAD(, sched_lookup) waiting; /* oldest first */
	unsigned waiting_count, open;
};

void
sched_lookups_init(struct sched_lookups *all)
{
	*all = (struct sched_lookups){.lines = map_new()};
	timers_init(&all->order);
}

void
sched_lookups_clear(struct sched_lookups *all)
{
	map_free_all(&all->lines);
	timers_clear(&all->order);
}

static struct str
sched_lookup_queue_key(const void *const *user)
{
	return str_make((const char *)user, sizeof *user);
}

static struct sched_lookup_queue *
sched_lookup_queue_ensure(struct sched_lookups *all, const void *user)
{
	struct sched_lookup_queue *line = map_get(all->lines, sched_lookup_queue_key(&user));

	if (line)
		return line;
	line = MEM_NEW(struct sched_lookup_queue);
	line->user = user;
	TAILQ_INIT(&line->waiting);
	map_put(all->lines, sched_lookup_queue_key(&user), line);
	return line;
}

/* Into its place in the order, after each change; away when there is nothing of it. */
static void
sched_lookup_queue_refresh(struct sched_lookups *all, struct sched_lookup_queue *line)
{
	if (line->waiting_count) {
		timers_set(&all->order, &line->order,
		    (int64_t)line->open << TURN_BITS | (int64_t)++all->turn);
		return;
	}
	if (line->order.place)
		timers_remove(&all->order, &line->order);
	if (line->open)
		return;
	map_remove(all->lines, sched_lookup_queue_key(&line->user));
	mem_free(line);
}

static void
sched_lookup_join(
    struct sched_lookups *all, struct sched_lookup *l, struct sched_lookup_queue *line)
{
	l->line = line;
	TAILQ_INSERT_TAIL(&line->waiting, l, link);
	line->waiting_count++;
	sched_lookup_queue_refresh(all, line);
}

void
sched_lookup_end(struct sched_lookups *all, struct sched_lookup *l)
{
	struct sched_lookup_queue *line = l->line;

	if (!line)
		return;
	l->line = NULL;
	if (l->is_open) {
		l->is_open = false;
		line->open--;
		all->open--;
	} else {
		TAILQ_REMOVE(&line->waiting, l, link);
		line->waiting_count--;
	}
	sched_lookup_queue_refresh(all, line);
}

void
sched_lookup_wait(struct sched_lookups *all, struct sched_lookup *l, const void *user)
{
	struct sched_lookup_queue *line;

	if (l->is_open || (l->line && l->line->user == user))
		return;
	line = sched_lookup_queue_ensure(all, user);
	if (l->line && line->waiting_count >= l->line->waiting_count) {
		sched_lookup_queue_refresh(all, line);
		return;
	}
	sched_lookup_end(all, l);
	sched_lookup_join(all, l, line);
}

/* The first line holds least: when it may not, none may. */
static struct sched_lookup_queue *
sched_lookups_next_queue(const struct sched_lookups *all)
{
	struct timer *first = timers_first(&all->order);
	struct sched_lookup_queue *line = (struct sched_lookup_queue *)first;

	return line && line->open * PART < SCHED_LOOKUPS_MAX - all->open ? line : NULL;
}

bool
sched_lookups_may_take(const struct sched_lookups *all)
{
	return sched_lookups_next_queue(all) != NULL;
}

struct sched_lookup *
sched_lookups_take(struct sched_lookups *all)
{
	struct sched_lookup_queue *line = sched_lookups_next_queue(all);
	struct sched_lookup *l;

	if (!line)
		return NULL;
	l = TAILQ_FIRST(&line->waiting);
	TAILQ_REMOVE(&line->waiting, l, link);
	line->waiting_count--;
	l->is_open = true;
	line->open++;
	all->open++;
	sched_lookup_queue_refresh(all, line);
	return l;
}

/*
 * lookups: see the header.
 */
#include "queue/lookups.h"

#include "base/mem.h"

enum { TURN_BITS = 40, PART = 2 };

struct lookup_line {
	struct timer order; /* set while something waits */
	const void *user;
	TAILQ_HEAD(, lookup) waiting; /* oldest first */
	unsigned waiting_count, open;
};

void
lookups_init(struct lookups *all)
{
	*all = (struct lookups){.lines = map_new()};
	timers_init(&all->order);
}

void
lookups_clear(struct lookups *all)
{
	map_free_all(&all->lines);
	timers_clear(&all->order);
}

static struct str
lookup_line_key(const void *const *user)
{
	return str_make((const char *)user, sizeof *user);
}

static struct lookup_line *
lookup_line_of(struct lookups *all, const void *user)
{
	struct lookup_line *line = map_get(all->lines, lookup_line_key(&user));

	if (line)
		return line;
	line = MEM_NEW(struct lookup_line);
	line->user = user;
	TAILQ_INIT(&line->waiting);
	map_put(all->lines, lookup_line_key(&user), line);
	return line;
}

/* Into its place in the order, after each change; away when there is nothing of it. */
static void
lookup_line_refresh(struct lookups *all, struct lookup_line *line)
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
	map_remove(all->lines, lookup_line_key(&line->user));
	mem_free(line);
}

static void
lookup_join(struct lookups *all, struct lookup *l, struct lookup_line *line)
{
	l->line = line;
	TAILQ_INSERT_TAIL(&line->waiting, l, link);
	line->waiting_count++;
	lookup_line_refresh(all, line);
}

void
lookup_end(struct lookups *all, struct lookup *l)
{
	struct lookup_line *line = l->line;

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
	lookup_line_refresh(all, line);
}

void
lookup_wait(struct lookups *all, struct lookup *l, const void *user)
{
	struct lookup_line *line;

	if (l->is_open || (l->line && l->line->user == user))
		return;
	line = lookup_line_of(all, user);
	if (l->line && line->waiting_count >= l->line->waiting_count) {
		lookup_line_refresh(all, line);
		return;
	}
	lookup_end(all, l);
	lookup_join(all, l, line);
}

/* The first line holds least: when it may not, none may. */
static struct lookup_line *
lookups_next_line(const struct lookups *all)
{
	struct timer *first = timers_first(&all->order);
	struct lookup_line *line = (struct lookup_line *)first;

	return line && line->open * PART < LOOKUPS_MAX - all->open ? line : NULL;
}

bool
lookups_may_take(const struct lookups *all)
{
	return lookups_next_line(all) != NULL;
}

struct lookup *
lookups_take(struct lookups *all)
{
	struct lookup_line *line = lookups_next_line(all);
	struct lookup *l;

	if (!line)
		return NULL;
	l = TAILQ_FIRST(&line->waiting);
	TAILQ_REMOVE(&line->waiting, l, link);
	line->waiting_count--;
	l->is_open = true;
	line->open++;
	all->open++;
	lookup_line_refresh(all, line);
	return l;
}

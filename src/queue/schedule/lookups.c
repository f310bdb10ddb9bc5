/*
 * lookups: the queue of a user is in the heap exactly while something waits in it. Its place is one
 * number, the open lookups and then the turn, and is set again after each change of either count. A
 * queue without lookups is freed. A lookup is in at most one queue; it moves to a user for whom it
 * would wait less. Nothing is asked here.
 */
#include "queue/schedule/lookups.h"

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
	*all = (struct sched_lookups){.queues = map_new()};
	timers_init(&all->order);
}

void
sched_lookups_clear(struct sched_lookups *all)
{
	map_free_all(&all->queues);
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
	struct sched_lookup_queue *queue = map_get(all->queues, sched_lookup_queue_key(&user));

	if (queue)
		return queue;
	queue = MEM_NEW(struct sched_lookup_queue);
	queue->user = user;
	TAILQ_INIT(&queue->waiting);
	map_put(all->queues, sched_lookup_queue_key(&user), queue);
	return queue;
}

/* Sets its place in the order after each change; frees it when it is empty. */
static void
sched_lookup_queue_refresh(struct sched_lookups *all, struct sched_lookup_queue *queue)
{
	if (queue->waiting_count) {
		timers_set(&all->order, &queue->order,
		    (int64_t)queue->open << TURN_BITS | (int64_t)++all->turn);
		return;
	}
	if (queue->order.place)
		timers_remove(&all->order, &queue->order);
	if (queue->open)
		return;
	map_remove(all->queues, sched_lookup_queue_key(&queue->user));
	mem_free(queue);
}

static void
sched_lookup_join(
    struct sched_lookups *all, struct sched_lookup *l, struct sched_lookup_queue *queue)
{
	l->queue = queue;
	TAILQ_INSERT_TAIL(&queue->waiting, l, link);
	queue->waiting_count++;
	sched_lookup_queue_refresh(all, queue);
}

void
sched_lookup_end(struct sched_lookups *all, struct sched_lookup *l)
{
	struct sched_lookup_queue *queue = l->queue;

	if (!queue)
		return;
	l->queue = NULL;
	if (l->is_open) {
		l->is_open = false;
		queue->open--;
		all->open--;
	} else {
		TAILQ_REMOVE(&queue->waiting, l, link);
		queue->waiting_count--;
	}
	sched_lookup_queue_refresh(all, queue);
}

void
sched_lookup_wait(struct sched_lookups *all, struct sched_lookup *l, const void *user)
{
	struct sched_lookup_queue *queue;

	if (l->is_open || (l->queue && l->queue->user == user))
		return;
	queue = sched_lookup_queue_ensure(all, user);
	if (l->queue && queue->waiting_count >= l->queue->waiting_count) {
		sched_lookup_queue_refresh(all, queue);
		return;
	}
	sched_lookup_end(all, l);
	sched_lookup_join(all, l, queue);
}

/* The first queue has the fewest open lookups: when it may not open one, no other may. */
static struct sched_lookup_queue *
sched_lookups_next_queue(const struct sched_lookups *all)
{
	struct timer *first = timers_first(&all->order);
	struct sched_lookup_queue *queue = (struct sched_lookup_queue *)first;

	return queue && queue->open * PART < SCHED_LOOKUPS_MAX - all->open ? queue : NULL;
}

bool
sched_lookups_may_take(const struct sched_lookups *all)
{
	return sched_lookups_next_queue(all) != NULL;
}

struct sched_lookup *
sched_lookups_take(struct sched_lookups *all)
{
	struct sched_lookup_queue *queue = sched_lookups_next_queue(all);
	struct sched_lookup *l;

	if (!queue)
		return NULL;
	l = TAILQ_FIRST(&queue->waiting);
	TAILQ_REMOVE(&queue->waiting, l, link);
	queue->waiting_count--;
	l->is_open = true;
	queue->open++;
	all->open++;
	sched_lookup_queue_refresh(all, queue);
	return l;
}

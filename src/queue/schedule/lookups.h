/*
 * lookups: which next hop relay is to look up next.  When the name servers of a domain do not
 * answer, its lookup stays open for as long as relay tries; therefore open lookups are slots too,
 * and users have shares of them.  For next_hops.c.
 *
 * The rule.  At most SCHED_LOOKUPS_MAX are open.  A user may have another one opened while twice
 * the number of its open lookups is less than the number of free slots: alone it has a third of
 * all, and others always find room.  The user with the fewest open lookups is first, then the one
 * whose turn is longest ago; those of one user are in the order in which they were needed.
 */
#ifndef QUEUE_SCHEDULE_LOOKUPS_H
#define QUEUE_SCHEDULE_LOOKUPS_H

#include <sys/queue.h>

#include "base/map.h"
#include "queue/schedule/timers.h"

enum { SCHED_LOOKUPS_MAX = 1024 };

struct sched_lookup_queue;

/* Embedded in a next hop. */
struct sched_lookup {
	TAILQ_ENTRY(sched_lookup) link;
	struct sched_lookup_queue *queue; /* waits in it, or is open and counted there; or NULL */
	bool is_open;
};

struct sched_lookups {
	struct map *queues;    /* by user */
	struct timers order;  /* queues in which a lookup waits, the next one first */
	uint64_t turn;
	unsigned open;
};

void sched_lookups_init(struct sched_lookups *all);
/* The caller owns the lookups; they are not freed. */
void sched_lookups_clear(struct sched_lookups *all);

/* Waits for its turn in the queue of that user.  A lookup that waits already keeps its place, or
 * moves to this user's queue when that one is shorter. */
void sched_lookup_wait(struct sched_lookups *all, struct sched_lookup *l, const void *user);
/* The next lookup, open now; NULL: none. */
struct sched_lookup *sched_lookups_take(struct sched_lookups *all);
bool sched_lookups_may_take(const struct sched_lookups *all);
/* It is answered, or not needed any more. */
void sched_lookup_end(struct sched_lookups *all, struct sched_lookup *l);

#endif

/*
 * lookups: which domains relay is to look up next.  Behind a domain whose name servers are silent
 * a lookup stays open for as long as relay tries; so open lookups are slots too, and users have
 * shares of them.  For domains.c.
 *
 * The rule.  At most SCHED_LOOKUPS_MAX are open.  A user may have another one opened while twice
 * what it holds is less than what is free: alone it has a third of all, and others always find
 * room. The user who holds least comes first, then the one whose turn is longest ago; the domains
 * of one user come in the order in which they were needed.
 */
#ifndef QUEUE_LOOKUPS_H
#define QUEUE_LOOKUPS_H

#include <sys/queue.h>

#include "base/map.h"
#include "queue/timers.h"

enum { SCHED_LOOKUPS_MAX = 1024 };

struct sched_lookup_queue;

/* Embedded in a domain. */
struct sched_lookup {
	TAILQ_ENTRY(sched_lookup) link;
	struct sched_lookup_queue *line; /* waits in it, or is open and counted there; or NULL */
	bool is_open;
};

struct sched_lookups {
	struct map *lines;    /* by user */
	struct timers order;  /* lines in which something waits, the next one first */
	uint64_t turn;
	unsigned open;
};

void sched_lookups_init(struct sched_lookups *all);
/* Lookups are the owner's; they are forgotten. */
void sched_lookups_clear(struct sched_lookups *all);

/* It waits for its turn, in the line of that user.  When it waits already, it stays where it is, or
 * goes to this user's line when that one is shorter. */
void sched_lookup_wait(struct sched_lookups *all, struct sched_lookup *l, const void *user);
/* The next that may be asked, now open; NULL: none. */
struct sched_lookup *sched_lookups_take(struct sched_lookups *all);
bool sched_lookups_may_take(const struct sched_lookups *all);
/* Answered, or not wanted any more. */
void sched_lookup_end(struct sched_lookups *all, struct sched_lookup *l);

#endif

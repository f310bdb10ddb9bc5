/*
 * user_queues: one user's parcels that are ready at one site, in the order of their coming.  A lane
 * is in its site's list `lanes`, or parked while its user holds its share.  For destinations.c.
 */
#ifndef QUEUE_USER_QUEUES_H
#define QUEUE_USER_QUEUES_H

#include "queue/destinations.h"

struct user_queue {
	TAILQ_ENTRY(user_queue) link;    /* site->lanes or site->parked */
	TAILQ_ENTRY(user_queue) waiting; /* share->parked[kind] */
	struct sched_destination *site;
	struct sched_share *share;
	struct sched_delivery *first, *last;
	uint8_t kind; /* enum sched_share_kind, while it is parked */
	bool is_parked;
};

static inline enum sched_share_kind
sched_destination_kind(const struct sched_destination *site)
{
	return site->is_proven ? SCHED_SHARE_PROVEN : SCHED_SHARE_UNPROVEN;
}

/* At the end of its user's lane, which is made when there is none. */
void user_queue_add(
    struct sched_destinations *all, struct sched_destination *site, struct sched_delivery *p);
/* Out of its lane, which ends when it is empty. */
void user_queue_remove(struct sched_destinations *all, struct sched_delivery *p);
/* Its user holds its share of what its site counts for. */
void user_queue_park(struct sched_destinations *all, struct user_queue *lane);
/* To the head of its lane, and that to the head of its site's lanes. */
void user_queue_put_first(struct sched_destinations *all, struct sched_delivery *p);
/* To the end of its site's lanes again. */
void user_queue_unpark(struct sched_destinations *all, struct user_queue *lane);

#endif

/*
 * user_queues: the ready deliveries of one user at one destination, in order of arrival.  A user
 * queue is in the list `user_queues` of its destination, or in `parked` while its user has used up
 * its share.  For destinations.c.
 */
#ifndef QUEUE_SCHEDULE_USER_QUEUES_H
#define QUEUE_SCHEDULE_USER_QUEUES_H

#include "queue/schedule/sched_delivery.h"
#include "queue/schedule/sched_destination.h"

struct user_queue {
	TAILQ_ENTRY(user_queue) link;    /* destination->user_queues or destination->parked */
	TAILQ_ENTRY(user_queue) waiting; /* share->parked[kind] */
	struct sched_destination *destination;
	struct sched_share *share;
	struct sched_delivery *first, *last;
	uint8_t kind; /* enum sched_share_kind, while it is parked */
	bool is_parked;
};

static inline enum sched_share_kind
sched_destination_kind(const struct sched_destination *destination)
{
	return destination->is_proven ? SCHED_SHARE_PROVEN : SCHED_SHARE_UNPROVEN;
}

/* The destination of a delivery that is READY or RUNNING, else NULL. */
static inline struct sched_destination *
sched_delivery_destination(const struct sched_delivery *p)
{
	if (p->state == DELIVERY_READY)
		return p->user_queue->destination;
	return p->state == DELIVERY_RUNNING ? p->running_at : NULL;
}

/* Adds it at the end of its user queue, which is created when there is none. */
void user_queue_add(struct sched_destinations *all, struct sched_destination *destination,
    struct sched_delivery *p);
/* Removes it from its user queue, which is freed when it is empty. */
void user_queue_remove(struct sched_destinations *all, struct sched_delivery *p);
/* The user has used up its share of the kind of slots that the destination counts for. */
void user_queue_park(struct sched_destinations *all, struct user_queue *user_queue);
/* Moves it to the head of its user queue, and that to the head of the destination's user queues. */
void user_queue_put_first(struct sched_destinations *all, struct sched_delivery *p);
/* Moves it to the end of the destination's user queues again. */
void user_queue_unpark(struct sched_destinations *all, struct user_queue *user_queue);

#endif

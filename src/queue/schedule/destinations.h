/*
 * destinations: the user queues of each destination, for schedule.c, and which of them may begin.
 *
 * The rule.  Of the `concurrency` slots
 * - a destination uses at most its window.  It has one slot until it has answered, then
 *   SCHEDULE_WINDOW_START, and one more for each answer up to `destination_concurrency`.
 *   A destination that cannot be reached is paused and then has one slot; so has one that stopped
 *   answering or answered 421;
 * - all destinations that are not proven (have not answered, or did not the last time) use together
 *   at most half;
 * - a destination that uses some may use another only while the used part of its window is less
 *   than 4 times the part of all slots that is free: many slow destinations leave room;
 * - a user may begin another delivery at a proven destination while the user has fewer than 4 times
 *   the free slots (alone: four fifths), and at one that is not proven while the user has there
 *   fewer than half of the free slots of their half (alone: a third of it).
 * Among those that may begin, the destination with the smallest used part of its window is first,
 * then the one whose turn is longest ago; within a destination its users take turns.
 */
#ifndef QUEUE_SCHEDULE_DESTINATIONS_H
#define QUEUE_SCHEDULE_DESTINATIONS_H

#include "queue/schedule/sched_delivery.h"
#include "queue/schedule/sched_destination.h"

void sched_destinations_init(
    struct sched_destinations *all, struct timers *timers, uint8_t timer_kind);
void sched_destinations_clear(struct sched_destinations *all);
void sched_destinations_configure(
    struct sched_destinations *all, uint32_t concurrency, uint32_t destination_concurrency);

/* Finds or creates it; the caller owns one reference. */
struct sched_destination *sched_destinations_ref(struct sched_destinations *all, struct str name);
void sched_destinations_unref(
    struct sched_destinations *all, struct sched_destination **destination);

/* Adds a ready delivery at the end of the user queue of its user. */
void sched_destinations_push(struct sched_destinations *all, struct sched_destination *destination,
    struct sched_delivery *p);
/* Removes it from its user queue. */
void sched_destinations_pull(struct sched_destinations *all, struct sched_delivery *p);
/* The next delivery of the next destination, counted as running now; NULL: none may run. */
struct sched_delivery *sched_destinations_take(struct sched_destinations *all);
/* False: sched_destinations_take returns NULL until the schedule is changed. */
bool sched_destinations_may_take(const struct sched_destinations *all);
/* Counts a running delivery that was not in a user queue. */
void sched_destinations_begin(struct sched_destinations *all, struct sched_destination *destination,
    struct sched_delivery *p);
/* The delivery is not running any more. */
void sched_destinations_end(struct sched_destinations *all, struct sched_delivery *p);
/* It answered: it is proven, and one more delivery may run. */
void sched_destinations_answered(
    struct sched_destinations *all, struct sched_destination *destination);
/* It stopped answering, or refuses more: one delivery may run, and it is not proven. */
void sched_destinations_back_off(
    struct sched_destinations *all, struct sched_destination *destination);
/* It does not answer: no delivery begins until until_ms, then one. */
void sched_destinations_pause(struct sched_destinations *all, struct sched_destination *destination,
    const struct smtp_status *status, int64_t until_ms);
void sched_destinations_resume(
    struct sched_destinations *all, struct sched_destination *destination);
/* Ends the pause of its destination; the delivery is the next one there. */
void sched_destinations_retry_now(struct sched_destinations *all, struct sched_delivery *p);

static inline bool
sched_destinations_is_paused(const struct sched_destination *destination)
{
	return destination->is_paused;
}

#endif

/*
 * domains: the lanes in front of each site, for schedule.c, and which of them may begin.
 *
 * The rule.  Of the `concurrency` slots
 * - a site holds at most its window.  It has one slot until it has answered, then
 *   SCHEDULE_WINDOW_START, and one more for each answer up to `site_concurrency`.  A site that
 *   cannot be reached is paused and then has one slot; so has one that fell silent or answered 421;
 * - all sites that are not proven (have not answered, or did not the last time) hold together at
 *   most half;
 * - a site that holds some may have another only while the part of its window that it holds is
 *   less than 4 times the part of all slots that is free: many slow sites leave room;
 * - a user may begin another delivery at a proven site while it holds less than 4 times what is
 *   free (alone: four fifths), and at one that is not proven while it holds there less than half
 *   of what is free of their half (alone: a third of it).
 * Among what may begin, the site that holds the smallest part of its window comes first, then the
 * one whose turn is longest ago; within a site its users take turns.
 */
#ifndef QUEUE_DESTINATIONS_H
#define QUEUE_DESTINATIONS_H

#include "base/map.h"
#include "queue/schedule.h"
#include "queue/shares.h"

struct sched_destination {
	struct timer timer; /* paused: until then */
	struct timer order; /* set: in all->open[order.kind], it may begin a parcel */
	struct str name;
	struct user_queue_list lanes;  /* that may begin, the next one first */
	struct user_queue_list parked; /* whose users hold their share */
	struct sched_delivery *first;      /* running */
	struct smtp_status *status;     /* why it is away */
	int64_t found_ms;          /* when it was found away the last time */
	uint64_t turn;
	uint32_t ready, running;
	uint32_t window;     /* how many may run */
	uint32_t failures;   /* in a row */
	uint32_t references; /* destinations */
	bool is_proven;      /* it answered the last time */
	bool is_paused;      /* nothing begins there */
};

struct sched_destinations {
	struct map *by_name;
	struct map *lanes; /* by site and user */
	struct sched_shares shares;
	struct timers open[SCHED_SHARE_KINDS]; /* those that may begin; least held first */
	struct timers *timers;
	uint64_t turn;
	uint32_t concurrency, site_concurrency;
	uint8_t timer_kind;
	size_t ready, running;
	size_t running_unproven;
	size_t ready_paused; /* of ready: at sites that are paused */
};

void sched_destinations_init(
    struct sched_destinations *all, struct timers *timers, uint8_t timer_kind);
void sched_destinations_clear(struct sched_destinations *all);
void sched_destinations_configure(
    struct sched_destinations *all, uint32_t concurrency, uint32_t site_concurrency);

/* Finds or makes it; a reference is the caller's. */
struct sched_destination *sched_destinations_ref(struct sched_destinations *all, struct str name);
void sched_destinations_unref(struct sched_destinations *all, struct sched_destination **site);

/* At the end of its user's lane. */
void sched_destinations_push(
    struct sched_destinations *all, struct sched_destination *site, struct sched_delivery *p);
/* Out of the lane again. */
void sched_destinations_pull(struct sched_destinations *all, struct sched_delivery *p);
/* The next one of the next site, now counted as running; NULL: none may run. */
struct sched_delivery *sched_destinations_take(struct sched_destinations *all);
/* False: sched_destinations_take has nothing until something is told. */
bool sched_destinations_may_take(const struct sched_destinations *all);
/* Counts one that is running without having been in a lane. */
void sched_destinations_begin(
    struct sched_destinations *all, struct sched_destination *site, struct sched_delivery *p);
/* One less is running. */
void sched_destinations_end(struct sched_destinations *all, struct sched_delivery *p);
/* It answered: it is proven, and more may run next time. */
void sched_destinations_answered(struct sched_destinations *all, struct sched_destination *site);
/* It fell silent, or wants less: one may run, and it is not proven. */
void sched_destinations_back_off(struct sched_destinations *all, struct sched_destination *site);
/* It does not answer: nothing runs until then, afterwards one. */
void sched_destinations_pause(struct sched_destinations *all, struct sched_destination *site,
    const struct smtp_status *status, int64_t until_ms);
void sched_destinations_resume(struct sched_destinations *all, struct sched_destination *site);
/* Its site's pause ends, and it comes before all others there. */
void sched_destinations_retry_now(struct sched_destinations *all, struct sched_delivery *p);

static inline bool
sched_destinations_is_paused(const struct sched_destination *site)
{
	return site->is_paused;
}

#endif

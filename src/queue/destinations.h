/*
 * destinations: the lanes in front of each site, for schedule.c, and which of them may begin.
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

struct site {
	struct timer timer; /* paused: until then */
	struct timer order; /* set: in all->open[order.kind], it may begin a parcel */
	struct str name;
	struct share_lanes lanes;  /* that may begin, the next one first */
	struct share_lanes parked; /* whose users hold their share */
	struct parcel *first;      /* running */
	struct status *status;     /* why it is away */
	int64_t found_ms;          /* when it was found away the last time */
	uint64_t turn;
	uint32_t ready, running;
	uint32_t window;     /* how many may run */
	uint32_t failures;   /* in a row */
	uint32_t references; /* destinations */
	bool is_proven;      /* it answered the last time */
	bool is_paused;      /* nothing begins there */
};

struct sites {
	struct map *by_name;
	struct map *lanes; /* by site and user */
	struct shares shares;
	struct timers open[SHARE_KINDS]; /* those that may begin; least held first */
	struct timers *timers;
	uint64_t turn;
	uint32_t concurrency, site_concurrency;
	uint8_t timer_kind;
	size_t ready, running;
	size_t running_unproven;
	size_t ready_paused; /* of ready: at sites that are paused */
};

void sites_init(struct sites *all, struct timers *timers, uint8_t timer_kind);
void sites_clear(struct sites *all);
void sites_configure(struct sites *all, uint32_t concurrency, uint32_t site_concurrency);

/* Finds or makes it; a reference is the caller's. */
struct site *sites_keep(struct sites *all, struct str name);
void sites_drop(struct sites *all, struct site **site);

/* At the end of its user's lane. */
void sites_push(struct sites *all, struct site *site, struct parcel *p);
/* Out of the lane again. */
void sites_pull(struct sites *all, struct parcel *p);
/* The next one of the next site, now counted as running; NULL: none may run. */
struct parcel *sites_take(struct sites *all);
/* False: sites_take has nothing until something is told. */
bool sites_may_take(const struct sites *all);
/* Counts one that is running without having been in a lane. */
void sites_begin(struct sites *all, struct site *site, struct parcel *p);
/* One less is running. */
void sites_end(struct sites *all, struct parcel *p);
/* It answered: it is proven, and more may run next time. */
void sites_answers(struct sites *all, struct site *site);
/* It fell silent, or wants less: one may run, and it is not proven. */
void sites_doubt(struct sites *all, struct site *site);
/* It does not answer: nothing runs until then, afterwards one. */
void sites_pause(
    struct sites *all, struct site *site, const struct status *status, int64_t until_ms);
void sites_wake(struct sites *all, struct site *site);
/* Its site's pause ends, and it comes before all others there. */
void sites_hurry(struct sites *all, struct parcel *p);

static inline bool
sites_is_paused(const struct site *site)
{
	return site->is_paused;
}

#endif

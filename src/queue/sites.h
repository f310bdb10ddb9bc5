/*
 * sites: the lines in front of each site, for schedule.c: a site's users take turns, sites with
 * room take turns, a site that is away is paused and then probed.
 */
#ifndef QUEUE_SITES_H
#define QUEUE_SITES_H

#include "base/map.h"
#include "queue/schedule.h"

struct site {
	struct timer timer;           /* set: paused until then */
	struct site *next, *previous; /* ring of those that may start a parcel now */
	struct str name;
	struct lane *lanes;    /* ring; the one whose turn it is */
	struct status *status; /* why it is away */
	uint32_t ready, running;
	uint32_t window;     /* how many may run: 1 while it is probed */
	uint32_t failures;   /* in a row */
	uint32_t references; /* destinations */
	bool in_ring;
};

struct sites {
	struct map *by_name;
	struct map *lanes; /* by site and user */
	struct site *ring;
	struct timers *timers;
	uint32_t site_concurrency;
	uint8_t timer_kind;
	size_t ready, running;
};

void sites_init(struct sites *all, struct timers *timers, uint8_t timer_kind);
void sites_clear(struct sites *all);
void sites_configure(struct sites *all, uint32_t site_concurrency);

/* Finds or makes it; a reference is the caller's. */
struct site *sites_keep(struct sites *all, struct str name);
void sites_drop(struct sites *all, struct site **site);

/* At the end of its user's line. */
void sites_push(struct sites *all, struct site *site, struct parcel *p);
/* Out of the line again. */
void sites_pull(struct sites *all, struct parcel *p);
/* The next one of the next site, now counted as running; NULL: none may run. */
struct parcel *sites_take(struct sites *all);
/* Counts one that is running without having been in line. */
void sites_begin(struct sites *all, struct site *site, struct parcel *p);
/* One less is running. */
void sites_end(struct sites *all, struct parcel *p);
/* It answered: one more may run next time. */
void sites_answers(struct sites *all, struct site *site);
/* It does not: nothing runs until then, afterwards one. */
void sites_pause(
    struct sites *all, struct site *site, const struct status *status, int64_t until_ms);
void sites_wake(struct sites *all, struct site *site);

static inline bool
sites_is_paused(const struct site *site)
{
	return site->timer.place != 0;
}

#endif

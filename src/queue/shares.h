/*
 * shares: how many deliveries each user has running, and which of its lanes must wait because the
 * user holds its share.  For destinations.c.
 *
 * A share is counted for two kinds of slots: all of them, and those at sites that have not proven
 * that they answer.  A user may begin another delivery of a kind while it holds less than a
 * multiple of the slots of that kind that are free (share_may_begin).  So a user alone can use most
 * of them, never all, and the more users hold slots the less each may hold.
 */
#ifndef QUEUE_SHARES_H
#define QUEUE_SHARES_H

#include <sys/queue.h>

#include "base/map.h"
#include "queue/timers.h"

struct lane;

enum share_kind { SHARE_PROVEN, SHARE_UNPROVEN, SHARE_KINDS };

TAILQ_HEAD(share_lanes, lane);

struct share {
	const void *user;
	struct share_lanes parked[SHARE_KINDS]; /* lanes that wait for the user's share */
	struct timer order[SHARE_KINDS];        /* set while lanes are parked; least held first */
	uint32_t held[SHARE_KINDS]; /* running: at all sites; at those that are not proven */
	uint32_t references;        /* lanes and running parcels */
};

struct shares {
	struct map *by_user;
	struct timers order[SHARE_KINDS]; /* shares with parked lanes, in the order of their turn */
	uint64_t turn;
};

void shares_init(struct shares *all);
void shares_clear(struct shares *all);

/* Finds or makes it; a reference is the caller's. */
struct share *share_keep(struct shares *all, const void *user);
void share_drop(struct shares *all, struct share *share);

/* May this user begin one more delivery of that kind, of which so many slots are free? */
bool share_may_begin(const struct share *share, enum share_kind kind, uint32_t free_slots);
/* One more, or one less, is running; at a site that is proven or not. */
void share_count(struct shares *all, struct share *share, enum share_kind kind, int change);
/* The first lane of the user who holds least, when that user may begin; or NULL. */
struct lane *shares_next_parked(
    const struct shares *all, enum share_kind kind, uint32_t free_slots);
/* A lane was put into parked[kind], or taken out. */
void share_parked(struct shares *all, struct share *share, enum share_kind kind);

#endif

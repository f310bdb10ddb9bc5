/*
 * shares: how many deliveries each user has running, and which of its lanes must wait because the
 * user holds its share.  For destinations.c.
 *
 * A share is counted for two kinds of slots: all of them, and those at sites that have not proven
 * that they answer.  A user may begin another delivery of a kind while it holds less than a
 * multiple of the slots of that kind that are free (sched_share_may_begin).  So a user alone can
 * use most of them, never all, and the more users hold slots the less each may hold.
 */
#ifndef QUEUE_SHARES_H
#define QUEUE_SHARES_H

#include <sys/queue.h>

#include "base/map.h"
#include "queue/timers.h"

struct user_queue;

enum sched_share_kind { SCHED_SHARE_PROVEN, SCHED_SHARE_UNPROVEN, SCHED_SHARE_KINDS };

TAILQ_HEAD(user_queue_list, user_queue);

struct sched_share {
	const void *user;
	struct user_queue_list parked[SCHED_SHARE_KINDS]; /* lanes that wait for the user's share */
	struct timer order[SCHED_SHARE_KINDS]; /* set while lanes are parked; least held first */
	uint32_t held[SCHED_SHARE_KINDS]; /* running: at all sites; at those that are not proven */
	uint32_t references;        /* lanes and running parcels */
};

struct sched_shares {
	struct map *by_user;
	struct timers
	    order[SCHED_SHARE_KINDS]; /* shares with parked lanes, in the order of their turn */
	uint64_t turn;
};

void sched_shares_init(struct sched_shares *all);
void sched_shares_clear(struct sched_shares *all);

/* Finds or makes it; a reference is the caller's. */
struct sched_share *sched_share_ref(struct sched_shares *all, const void *user);
void sched_share_unref(struct sched_shares *all, struct sched_share *share);

/* May this user begin one more delivery of that kind, of which so many slots are free? */
bool sched_share_may_begin(
    const struct sched_share *share, enum sched_share_kind kind, uint32_t free_slots);
/* One more, or one less, is running; at a site that is proven or not. */
void sched_share_count(
    struct sched_shares *all, struct sched_share *share, enum sched_share_kind kind, int change);
/* The first lane of the user who holds least, when that user may begin; or NULL. */
struct user_queue *sched_shares_next_parked(
    const struct sched_shares *all, enum sched_share_kind kind, uint32_t free_slots);
/* A lane was put into parked[kind], or taken out. */
void sched_share_parked(
    struct sched_shares *all, struct sched_share *share, enum sched_share_kind kind);

#endif

/*
 * shares: how many deliveries of each user are running, and which of its user queues must wait
 * because the user has used up its share.  For destinations.c.
 *
 * A share is counted for two kinds of slots: all of them, and those at destinations that are not
 * proven to answer.  A user may begin another delivery of a kind while its number of slots is less
 * than a multiple of the slots of that kind that are free (sched_share_may_begin).  So a user alone
 * can use most of them, never all, and the more users have slots the fewer each may have.
 */
#ifndef QUEUE_SCHEDULE_SHARES_H
#define QUEUE_SCHEDULE_SHARES_H

#include <sys/queue.h>

#include "base/map.h"
#include "queue/schedule/timers.h"

struct user_queue;

enum sched_share_kind { SCHED_SHARE_PROVEN, SCHED_SHARE_UNPROVEN, SCHED_SHARE_KINDS };

TAILQ_HEAD(user_queue_list, user_queue);

struct sched_share {
	const void *user;
	struct user_queue_list parked[SCHED_SHARE_KINDS]; /* user queues that wait for the share */
	/* set while user queues are parked; fewest slots first */
	struct timer order[SCHED_SHARE_KINDS];
	uint32_t held[SCHED_SHARE_KINDS]; /* running: at all destinations; at unproven ones */
	uint32_t references;        /* user queues and running deliveries */
};

struct sched_shares {
	struct map *by_user;
	/* shares with parked user queues, in order of turn */
	struct timers order[SCHED_SHARE_KINDS];
	uint64_t turn;
};

void sched_shares_init(struct sched_shares *all);
void sched_shares_clear(struct sched_shares *all);

/* Finds or creates it; the caller owns one reference. */
struct sched_share *sched_share_ref(struct sched_shares *all, const void *user);
/* The share of a user that holds a reference to it. */
struct sched_share *sched_share_find(const struct sched_shares *all, const void *user);
void sched_share_unref(struct sched_shares *all, struct sched_share *share);

/* May this user begin another delivery of that kind, with so many free slots? */
bool sched_share_may_begin(
    const struct sched_share *share, enum sched_share_kind kind, uint32_t free_slots);
/* change 1 or -1: one delivery more or less is running at a destination of that kind. */
void sched_share_count(
    struct sched_shares *all, struct sched_share *share, enum sched_share_kind kind, int change);
/* The first parked user queue of the user with the fewest slots, when that user may begin; or NULL.
 */
struct user_queue *sched_shares_next_parked(
    const struct sched_shares *all, enum sched_share_kind kind, uint32_t free_slots);
/* A user queue was added to parked[kind], or removed. */
void sched_share_parked(
    struct sched_shares *all, struct sched_share *share, enum sched_share_kind kind);

#endif

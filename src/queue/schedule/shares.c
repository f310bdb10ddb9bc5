/*
 * shares: users whose user queues are parked are ordered in a heap by the number of slots that they
 * use, then by turn. The user with the fewest is first; when that user may not begin, no other may.
 * The place is set again after each change of the count. A share lives as long as it has
 * references.
 */
#include "queue/schedule/shares.h"

#include "base/mem.h"

enum { TURN_BITS = 40, PROVEN_FACTOR = 4, UNPROVEN_PART = 2 };

void
sched_shares_init(struct sched_shares *all)
{
	*all = (struct sched_shares){.by_user = map_new()};
	for (int kind = 0; kind < SCHED_SHARE_KINDS; kind++)
		timers_init(&all->order[kind]);
}

void
sched_shares_clear(struct sched_shares *all)
{
	map_free_all(&all->by_user);
	for (int kind = 0; kind < SCHED_SHARE_KINDS; kind++)
		timers_clear(&all->order[kind]);
}

static struct str
sched_share_key(const void *const *user)
{
	return str_make((const char *)user, sizeof *user);
}

struct sched_share *
sched_share_ref(struct sched_shares *all, const void *user)
{
	struct sched_share *share = map_get(all->by_user, sched_share_key(&user));

	if (!share) {
		share = MEM_NEW(struct sched_share);
		share->user = user;
		for (int kind = 0; kind < SCHED_SHARE_KINDS; kind++)
			TAILQ_INIT(&share->parked[kind]);
		map_put(all->by_user, sched_share_key(&user), share);
	}
	share->references++;
	return share;
}

struct sched_share *
sched_share_find(const struct sched_shares *all, const void *user)
{
	return map_get(all->by_user, sched_share_key(&user));
}

void
sched_share_unref(struct sched_shares *all, struct sched_share *share)
{
	if (--share->references)
		return;
	map_remove(all->by_user, sched_share_key(&share->user));
	mem_free(share);
}

bool
sched_share_may_begin(
    const struct sched_share *share, enum sched_share_kind kind, uint32_t free_slots)
{
	uint64_t held = share->held[kind];

	if (kind == SCHED_SHARE_PROVEN)
		return held < (uint64_t)free_slots * PROVEN_FACTOR;
	return held * UNPROVEN_PART < free_slots;
}

static void
sched_share_reorder(struct sched_shares *all, struct sched_share *share, enum sched_share_kind kind)
{
	int64_t held = share->held[kind];

	if (TAILQ_EMPTY(&share->parked[kind]))
		timers_remove(&all->order[kind], &share->order[kind]);
	else
		timers_set(&all->order[kind], &share->order[kind],
		    held << TURN_BITS | (int64_t)++all->turn);
}

void
sched_share_count(
    struct sched_shares *all, struct sched_share *share, enum sched_share_kind kind, int change)
{
	share->held[kind] += (uint32_t)change;
	if (share->order[kind].place)
		sched_share_reorder(all, share, kind);
}

struct user_queue *
sched_shares_next_parked(
    const struct sched_shares *all, enum sched_share_kind kind, uint32_t free_slots)
{
	const struct timer *first = timers_first(&all->order[kind]);
	const struct sched_share *share;
	const char *order;

	if (!first)
		return NULL;
	order = (const char *)(first - kind);
	share = (const struct sched_share *)(order - offsetof(struct sched_share, order));
	return sched_share_may_begin(share, kind, free_slots) ? TAILQ_FIRST(&share->parked[kind])
	                                                      : NULL;
}

void
sched_share_parked(struct sched_shares *all, struct sched_share *share, enum sched_share_kind kind)
{
	if (TAILQ_EMPTY(&share->parked[kind]) != (share->order[kind].place == 0))
		sched_share_reorder(all, share, kind);
}

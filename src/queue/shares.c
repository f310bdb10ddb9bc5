/*
 * shares: see the header.  The order of the users whose lanes wait is a heap with the number of
 * slots that a user holds in front and its turn behind, so that the user who holds least is first,
 * and when that one may not begin, no other may.
 */
#include "queue/shares.h"

#include "base/mem.h"

enum { TURN_BITS = 40, PROVEN_FACTOR = 4, UNPROVEN_PART = 2 };

void
shares_init(struct shares *all)
{
	*all = (struct shares){.by_user = map_new()};
	for (int kind = 0; kind < SHARE_KINDS; kind++)
		timers_init(&all->order[kind]);
}

void
shares_clear(struct shares *all)
{
	map_free_all(&all->by_user);
	for (int kind = 0; kind < SHARE_KINDS; kind++)
		timers_clear(&all->order[kind]);
}

static struct str
share_key(const void *const *user)
{
	return str_make((const char *)user, sizeof *user);
}

struct share *
share_keep(struct shares *all, const void *user)
{
	struct share *share = map_get(all->by_user, share_key(&user));

	if (!share) {
		share = MEM_NEW(struct share);
		share->user = user;
		for (int kind = 0; kind < SHARE_KINDS; kind++)
			TAILQ_INIT(&share->parked[kind]);
		map_put(all->by_user, share_key(&user), share);
	}
	share->references++;
	return share;
}

void
share_drop(struct shares *all, struct share *share)
{
	if (--share->references)
		return;
	map_remove(all->by_user, share_key(&share->user));
	mem_free(share);
}

bool
share_may_begin(const struct share *share, enum share_kind kind, uint32_t free_slots)
{
	uint64_t held = share->held[kind];

	if (kind == SHARE_PROVEN)
		return held < (uint64_t)free_slots * PROVEN_FACTOR;
	return held * UNPROVEN_PART < free_slots;
}

static void
share_place(struct shares *all, struct share *share, enum share_kind kind)
{
	int64_t held = share->held[kind];

	if (TAILQ_EMPTY(&share->parked[kind]))
		timers_remove(&all->order[kind], &share->order[kind]);
	else
		timers_set(&all->order[kind], &share->order[kind],
		    held << TURN_BITS | (int64_t)++all->turn);
}

void
share_count(struct shares *all, struct share *share, enum share_kind kind, int change)
{
	share->held[kind] += (uint32_t)change;
	if (share->order[kind].place)
		share_place(all, share, kind);
}

struct lane *
shares_next_parked(const struct shares *all, enum share_kind kind, uint32_t free_slots)
{
	const struct timer *first = timers_first(&all->order[kind]);
	const struct share *share;
	const char *order;

	if (!first)
		return NULL;
	order = (const char *)(first - kind);
	share = (const struct share *)(order - offsetof(struct share, order));
	return share_may_begin(share, kind, free_slots) ? TAILQ_FIRST(&share->parked[kind]) : NULL;
}

void
share_parked(struct shares *all, struct share *share, enum share_kind kind)
{
	if (TAILQ_EMPTY(&share->parked[kind]) != (share->order[kind].place == 0))
		share_place(all, share, kind);
}

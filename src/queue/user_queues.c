/*
 * user_queues: see the header.
 */
#include "queue/user_queues.h"

#include "base/mem.h"

struct lane_key {
	const void *site;
	const void *user;
};

static struct str
lane_key(struct lane_key *key, const struct site *site, const void *user)
{
	*key = (struct lane_key){site, user};
	return str_make((const char *)key, sizeof *key);
}

static struct lane *
lane_ensure(struct sites *all, struct site *site, const void *user)
{
	struct lane_key key;
	struct lane *lane = map_get(all->lanes, lane_key(&key, site, user));

	if (lane)
		return lane;
	lane = MEM_NEW(struct lane);
	lane->site = site;
	lane->share = share_keep(&all->shares, user);
	TAILQ_INSERT_TAIL(&site->lanes, lane, link);
	map_put(all->lanes, lane_key(&key, site, user), lane);
	return lane;
}

void
lane_park(struct sites *all, struct lane *lane)
{
	struct site *site = lane->site;

	lane->is_parked = true;
	lane->kind = (uint8_t)site_kind(site);
	TAILQ_REMOVE(&site->lanes, lane, link);
	TAILQ_INSERT_TAIL(&site->parked, lane, link);
	TAILQ_INSERT_TAIL(&lane->share->parked[lane->kind], lane, waiting);
	share_parked(&all->shares, lane->share, lane->kind);
}

static void
lane_leave_parked(struct sites *all, struct lane *lane)
{
	lane->is_parked = false;
	TAILQ_REMOVE(&lane->site->parked, lane, link);
	TAILQ_REMOVE(&lane->share->parked[lane->kind], lane, waiting);
	share_parked(&all->shares, lane->share, lane->kind);
}

void
lane_unpark(struct sites *all, struct lane *lane)
{
	lane_leave_parked(all, lane);
	TAILQ_INSERT_TAIL(&lane->site->lanes, lane, link);
}

static void
lane_end(struct sites *all, struct lane *lane)
{
	struct lane_key key;

	if (lane->is_parked)
		lane_leave_parked(all, lane);
	else
		TAILQ_REMOVE(&lane->site->lanes, lane, link);
	map_remove(all->lanes, lane_key(&key, lane->site, lane->share->user));
	share_drop(&all->shares, lane->share);
	mem_free(lane);
}

void
lane_add(struct sites *all, struct site *site, struct parcel *p)
{
	struct lane *lane = lane_ensure(all, site, p->user);

	p->lane = lane;
	p->next = NULL;
	p->previous = lane->last;
	if (lane->last)
		lane->last->next = p;
	else
		lane->first = p;
	lane->last = p;
}

static void
lane_unlink(struct lane *lane, struct parcel *p)
{
	if (p->previous)
		p->previous->next = p->next;
	else
		lane->first = p->next;
	if (p->next)
		p->next->previous = p->previous;
	else
		lane->last = p->previous;
	p->next = p->previous = NULL;
}

void
lane_lead(struct sites *all, struct parcel *p)
{
	struct lane *lane = p->lane;

	lane_unlink(lane, p);
	p->next = lane->first;
	if (p->next)
		p->next->previous = p;
	else
		lane->last = p;
	lane->first = p;
	if (lane->is_parked)
		lane_leave_parked(all, lane);
	else
		TAILQ_REMOVE(&lane->site->lanes, lane, link);
	TAILQ_INSERT_HEAD(&lane->site->lanes, lane, link);
}

void
lane_remove(struct sites *all, struct parcel *p)
{
	struct lane *lane = p->lane;

	lane_unlink(lane, p);
	p->lane = NULL;
	if (!lane->first)
		lane_end(all, lane);
}

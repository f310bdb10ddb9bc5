/*
 * user_queues: see the header.
 */
#include "queue/user_queues.h"

#include "base/mem.h"

struct user_queue_key {
	const void *site;
	const void *user;
};

static struct str
user_queue_key(struct user_queue_key *key, const struct sched_destination *site, const void *user)
{
	*key = (struct user_queue_key){site, user};
	return str_make((const char *)key, sizeof *key);
}

static struct user_queue *
user_queue_ensure(struct sched_destinations *all, struct sched_destination *site, const void *user)
{
	struct user_queue_key key;
	struct user_queue *lane = map_get(all->lanes, user_queue_key(&key, site, user));

	if (lane)
		return lane;
	lane = MEM_NEW(struct user_queue);
	lane->site = site;
	lane->share = sched_share_ref(&all->shares, user);
	TAILQ_INSERT_TAIL(&site->lanes, lane, link);
	map_put(all->lanes, user_queue_key(&key, site, user), lane);
	return lane;
}

void
user_queue_park(struct sched_destinations *all, struct user_queue *lane)
{
	struct sched_destination *site = lane->site;

	lane->is_parked = true;
	lane->kind = (uint8_t)sched_destination_kind(site);
	TAILQ_REMOVE(&site->lanes, lane, link);
	TAILQ_INSERT_TAIL(&site->parked, lane, link);
	TAILQ_INSERT_TAIL(&lane->share->parked[lane->kind], lane, waiting);
	sched_share_parked(&all->shares, lane->share, lane->kind);
}

static void
user_queue_leave_parked(struct sched_destinations *all, struct user_queue *lane)
{
	lane->is_parked = false;
	TAILQ_REMOVE(&lane->site->parked, lane, link);
	TAILQ_REMOVE(&lane->share->parked[lane->kind], lane, waiting);
	sched_share_parked(&all->shares, lane->share, lane->kind);
}

void
user_queue_unpark(struct sched_destinations *all, struct user_queue *lane)
{
	user_queue_leave_parked(all, lane);
	TAILQ_INSERT_TAIL(&lane->site->lanes, lane, link);
}

static void
user_queue_end(struct sched_destinations *all, struct user_queue *lane)
{
	struct user_queue_key key;

	if (lane->is_parked)
		user_queue_leave_parked(all, lane);
	else
		TAILQ_REMOVE(&lane->site->lanes, lane, link);
	map_remove(all->lanes, user_queue_key(&key, lane->site, lane->share->user));
	sched_share_unref(&all->shares, lane->share);
	mem_free(lane);
}

void
user_queue_add(
    struct sched_destinations *all, struct sched_destination *site, struct sched_delivery *p)
{
	struct user_queue *lane = user_queue_ensure(all, site, p->user);

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
user_queue_unlink(struct user_queue *lane, struct sched_delivery *p)
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
user_queue_put_first(struct sched_destinations *all, struct sched_delivery *p)
{
	struct user_queue *lane = p->lane;

	user_queue_unlink(lane, p);
	p->next = lane->first;
	if (p->next)
		p->next->previous = p;
	else
		lane->last = p;
	lane->first = p;
	if (lane->is_parked)
		user_queue_leave_parked(all, lane);
	else
		TAILQ_REMOVE(&lane->site->lanes, lane, link);
	TAILQ_INSERT_HEAD(&lane->site->lanes, lane, link);
}

void
user_queue_remove(struct sched_destinations *all, struct sched_delivery *p)
{
	struct user_queue *lane = p->lane;

	user_queue_unlink(lane, p);
	p->lane = NULL;
	if (!lane->first)
		user_queue_end(all, lane);
}

/*
 * user_queues: a user queue exists exactly while it has a delivery, and holds a reference to the
 * share of its user that long. It is in one list of its destination, and while it is parked also in
 * one of its share, by the kind that the destination had then. When to park is decided elsewhere.
 */
#include "queue/schedule/user_queues.h"

#include "base/mem.h"

struct user_queue_key {
	const void *destination;
	const void *user;
};

static struct str
user_queue_key(
    struct user_queue_key *key, const struct sched_destination *destination, const void *user)
{
	*key = (struct user_queue_key){destination, user};
	return str_make((const char *)key, sizeof *key);
}

static struct user_queue *
user_queue_ensure(
    struct sched_destinations *all, struct sched_destination *destination, const void *user)
{
	struct user_queue_key key;
	struct user_queue *user_queue =
	    map_get(all->user_queues, user_queue_key(&key, destination, user));

	if (user_queue)
		return user_queue;
	user_queue = MEM_NEW(struct user_queue);
	user_queue->destination = destination;
	user_queue->share = sched_share_ref(&all->shares, user);
	TAILQ_INSERT_TAIL(&destination->user_queues, user_queue, link);
	map_put(all->user_queues, user_queue_key(&key, destination, user), user_queue);
	return user_queue;
}

void
user_queue_park(struct sched_destinations *all, struct user_queue *user_queue)
{
	struct sched_destination *destination = user_queue->destination;

	user_queue->is_parked = true;
	user_queue->kind = (uint8_t)sched_destination_kind(destination);
	TAILQ_REMOVE(&destination->user_queues, user_queue, link);
	TAILQ_INSERT_TAIL(&destination->parked, user_queue, link);
	TAILQ_INSERT_TAIL(&user_queue->share->parked[user_queue->kind], user_queue, waiting);
	sched_share_parked(&all->shares, user_queue->share, user_queue->kind);
}

static void
user_queue_leave_parked(struct sched_destinations *all, struct user_queue *user_queue)
{
	user_queue->is_parked = false;
	TAILQ_REMOVE(&user_queue->destination->parked, user_queue, link);
	TAILQ_REMOVE(&user_queue->share->parked[user_queue->kind], user_queue, waiting);
	sched_share_parked(&all->shares, user_queue->share, user_queue->kind);
}

void
user_queue_unpark(struct sched_destinations *all, struct user_queue *user_queue)
{
	user_queue_leave_parked(all, user_queue);
	TAILQ_INSERT_TAIL(&user_queue->destination->user_queues, user_queue, link);
}

static void
user_queue_end(struct sched_destinations *all, struct user_queue *user_queue)
{
	struct user_queue_key key;

	if (user_queue->is_parked)
		user_queue_leave_parked(all, user_queue);
	else
		TAILQ_REMOVE(&user_queue->destination->user_queues, user_queue, link);
	map_remove(all->user_queues,
	    user_queue_key(&key, user_queue->destination, user_queue->share->user));
	sched_share_unref(&all->shares, user_queue->share);
	mem_free(user_queue);
}

void
user_queue_add(
    struct sched_destinations *all, struct sched_destination *destination, struct sched_delivery *p)
{
	struct user_queue *user_queue = user_queue_ensure(all, destination, p->user);

	p->user_queue = user_queue;
	p->next = NULL;
	p->previous = user_queue->last;
	if (user_queue->last)
		user_queue->last->next = p;
	else
		user_queue->first = p;
	user_queue->last = p;
}

static void
user_queue_unlink(struct user_queue *user_queue, struct sched_delivery *p)
{
	if (p->previous)
		p->previous->next = p->next;
	else
		user_queue->first = p->next;
	if (p->next)
		p->next->previous = p->previous;
	else
		user_queue->last = p->previous;
	p->next = p->previous = NULL;
}

void
user_queue_put_first(struct sched_destinations *all, struct sched_delivery *p)
{
	struct user_queue *user_queue = p->user_queue;

	user_queue_unlink(user_queue, p);
	p->next = user_queue->first;
	if (p->next)
		p->next->previous = p;
	else
		user_queue->last = p;
	user_queue->first = p;
	if (user_queue->is_parked)
		user_queue_leave_parked(all, user_queue);
	else
		TAILQ_REMOVE(&user_queue->destination->user_queues, user_queue, link);
	TAILQ_INSERT_HEAD(&user_queue->destination->user_queues, user_queue, link);
}

void
user_queue_remove(struct sched_destinations *all, struct sched_delivery *p)
{
	struct user_queue *user_queue = p->user_queue;

	user_queue_unlink(user_queue, p);
	p->user_queue = NULL;
	if (!user_queue->first)
		user_queue_end(all, user_queue);
}

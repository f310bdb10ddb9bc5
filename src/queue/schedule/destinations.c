/*
 * destinations: slots.  A destination is in `open` exactly when it has a user queue that is not
 * parked, has room in its window and is not paused; every function that changes one of these ends
 * with `refresh_destination`. A user queue is parked when its turn comes and its user has used up
 * the user's share.  It comes back when the user may begin again, one user queue at a time, so that
 * a step costs the logarithm of what is queued, on average over many.
 */
#include "queue/schedule/destinations.h"

#include "base/mem.h"
#include "queue/schedule/user_queues.h"

enum { TURN_BITS = 40, PART_SCALE = 1024, DESTINATION_FACTOR = 4 };

void
sched_destinations_init(struct sched_destinations *all, struct timers *timers, uint8_t timer_kind)
{
	*all = (struct sched_destinations){.by_name = map_new(),
	    .user_queues = map_new(),
	    .timers = timers,
	    .timer_kind = timer_kind};
	sched_shares_init(&all->shares);
	for (int kind = 0; kind < SCHED_SHARE_KINDS; kind++)
		timers_init(&all->open[kind]);
}

static void
free_sched_destination(struct str key, void *value, void *arg)
{
	struct sched_destination *destination = value;

	(void)key;
	(void)arg;
	mem_free((char *)destination->name.p);
	mem_free(destination->status);
	mem_free(destination);
}

void
sched_destinations_clear(struct sched_destinations *all)
{
	map_each(all->by_name, free_sched_destination, NULL);
	map_free(&all->by_name);
	map_free_all(&all->user_queues);
	sched_shares_clear(&all->shares);
	for (int kind = 0; kind < SCHED_SHARE_KINDS; kind++)
		timers_clear(&all->open[kind]);
}

/* ---- what may begin ---- */

static uint32_t
unproven_slots(const struct sched_destinations *all)
{
	return all->concurrency > 1 ? all->concurrency / 2 : 1;
}

/* Slots that a destination of this kind may still use. */
static uint32_t
free_slots(const struct sched_destinations *all, enum sched_share_kind kind)
{
	uint32_t slots = unproven_slots(all), left = 0, left_unproven = 0;

	if (all->running < all->concurrency)
		left = all->concurrency - (uint32_t)all->running;
	if (kind == SCHED_SHARE_PROVEN)
		return left;
	if (all->running_unproven < slots)
		left_unproven = slots - (uint32_t)all->running_unproven;
	return left < left_unproven ? left : left_unproven;
}

/* The smaller the used part of its window, the earlier. */
static int64_t
destination_rank(const struct sched_destination *destination)
{
	int64_t part = (int64_t)destination->running * PART_SCALE / destination->window;

	return part << TURN_BITS | (int64_t)destination->turn;
}

static void
refresh_destination(struct sched_destinations *all, struct sched_destination *destination)
{
	bool may = !TAILQ_EMPTY(&destination->user_queues) &&
	           destination->running < destination->window &&
	           !sched_destinations_is_paused(destination);
	enum sched_share_kind kind = sched_destination_kind(destination);

	if (destination->order.place && (!may || destination->order.kind != kind))
		timers_remove(&all->open[destination->order.kind], &destination->order);
	if (!may)
		return;
	destination->order.kind = (uint8_t)kind;
	timers_set(&all->open[kind], &destination->order, destination_rank(destination));
}

static struct sched_destination *
first_open_destination(const struct sched_destinations *all, enum sched_share_kind kind)
{
	const struct timer *first = timers_first(&all->open[kind]);

	return first ? (struct sched_destination *)((char *)first -
	                                            offsetof(struct sched_destination, order))
	             : NULL;
}

static bool
destination_may_begin(
    const struct sched_destinations *all, const struct sched_destination *destination)
{
	uint64_t left = free_slots(all, sched_destination_kind(destination));

	if (left == 0 || destination->running == 0)
		return left > 0;
	return (uint64_t)destination->running * all->concurrency <
	       DESTINATION_FACTOR * left * destination->window;
}

/* When the first destination of a kind may not begin, no other of that kind may. */
static struct sched_destination *
next_open_destination(const struct sched_destinations *all)
{
	struct sched_destination *best = NULL;

	for (int kind = 0; kind < SCHED_SHARE_KINDS; kind++) {
		struct sched_destination *destination =
		    first_open_destination(all, (enum sched_share_kind)kind);

		if (!destination || !destination_may_begin(all, destination))
			continue;
		if (!best || destination->order.at_ms < best->order.at_ms)
			best = destination;
	}
	return best;
}

static struct user_queue *
next_parked_queue(const struct sched_destinations *all)
{
	struct user_queue *user_queue = NULL;

	for (int kind = 0; kind < SCHED_SHARE_KINDS && !user_queue; kind++)
		user_queue = sched_shares_next_parked(&all->shares, (enum sched_share_kind)kind,
		    free_slots(all, (enum sched_share_kind)kind));
	return user_queue;
}

bool
sched_destinations_may_take(const struct sched_destinations *all)
{
	return next_open_destination(all) || next_parked_queue(all);
}

/* ---- destinations ---- */

static void
free_destination_if_unused(struct sched_destinations *all, struct sched_destination *destination)
{
	if (destination->references || destination->ready || destination->running ||
	    sched_destinations_is_paused(destination))
		return;
	map_remove(all->by_name, destination->name);
	free_sched_destination(destination->name, destination, NULL);
}

struct sched_destination *
sched_destinations_ref(struct sched_destinations *all, struct str name)
{
	struct sched_destination *destination = map_get(all->by_name, name);

	if (!destination) {
		destination = MEM_NEW(struct sched_destination);
		destination->timer.kind = all->timer_kind;
		destination->name = str_make(mem_text(name.p, name.n), name.n);
		destination->window = 1;
		destination->turn = ++all->turn;
		TAILQ_INIT(&destination->user_queues);
		TAILQ_INIT(&destination->parked);
		map_put(all->by_name, destination->name, destination);
	}
	destination->references++;
	return destination;
}

void
sched_destinations_unref(struct sched_destinations *all, struct sched_destination **destination)
{
	struct sched_destination *s = *destination;

	*destination = NULL;
	if (!s)
		return;
	s->references--;
	free_destination_if_unused(all, s);
}

static void
limit_destination_window(struct str key, void *value, void *arg)
{
	struct sched_destination *destination = value;
	struct sched_destinations *all = arg;

	(void)key;
	if (destination->window > all->destination_concurrency)
		destination->window = all->destination_concurrency;
	refresh_destination(all, destination);
}

void
sched_destinations_configure(
    struct sched_destinations *all, uint32_t concurrency, uint32_t destination_concurrency)
{
	all->concurrency = concurrency;
	all->destination_concurrency = destination_concurrency;
	map_each(all->by_name, limit_destination_window, all);
}

/* ---- user queues ---- */

static void
count_paused(struct sched_destinations *all, int64_t change)
{
	all->ready_paused += (size_t)change;
	/* a value below zero has wrapped around */
	if (all->ready_paused > all->ready)
		die("destinations: more deliveries are counted as paused than are ready");
}

/* The only place where a pause begins and ends, so that the count stays right. */
static void
set_paused(struct sched_destinations *all, struct sched_destination *destination, bool is_paused)
{
	if (destination->is_paused == is_paused)
		return;
	destination->is_paused = is_paused;
	count_paused(all, is_paused ? (int64_t)destination->ready : -(int64_t)destination->ready);
}

void
sched_destinations_push(
    struct sched_destinations *all, struct sched_destination *destination, struct sched_delivery *p)
{
	user_queue_add(all, destination, p);
	destination->ready++;
	all->ready++;
	count_paused(all, sched_destinations_is_paused(destination));
	refresh_destination(all, destination);
}

/* Removes it from the ready deliveries. */
static void
destination_unready(struct sched_destinations *all, struct sched_delivery *p)
{
	struct sched_destination *destination = p->user_queue->destination;

	if (sched_destinations_is_paused(destination))
		count_paused(all, -1);
	destination->ready--;
	all->ready--;
	user_queue_remove(all, p);
}

void
sched_destinations_pull(struct sched_destinations *all, struct sched_delivery *p)
{
	struct sched_destination *destination = p->user_queue->destination;

	destination_unready(all, p);
	refresh_destination(all, destination);
	free_destination_if_unused(all, destination);
}

/* ---- running ---- */

static void
begin_at_destination(struct sched_destinations *all, struct sched_destination *destination)
{
	struct user_queue *user_queue = TAILQ_FIRST(&destination->user_queues);
	struct sched_delivery *p = user_queue->first;

	TAILQ_REMOVE(&destination->user_queues, user_queue, link);
	TAILQ_INSERT_TAIL(&destination->user_queues, user_queue, link);
	destination->turn = ++all->turn;
	destination_unready(all, p);
	sched_destinations_begin(all, destination, p);
}

static void
unpark_user_queue(struct sched_destinations *all, struct user_queue *user_queue)
{
	user_queue_unpark(all, user_queue);
	refresh_destination(all, user_queue->destination);
}

struct sched_delivery *
sched_destinations_take(struct sched_destinations *all)
{
	for (;;) {
		struct user_queue *parked = next_parked_queue(all), *user_queue;
		struct sched_destination *destination;
		struct sched_delivery *p;

		if (parked)
			unpark_user_queue(all, parked);
		destination = next_open_destination(all);
		if (!destination && !parked)
			return NULL;
		if (!destination)
			continue;
		user_queue = TAILQ_FIRST(&destination->user_queues);
		if (sched_share_may_begin(user_queue->share, sched_destination_kind(destination),
		        free_slots(all, sched_destination_kind(destination)))) {
			p = user_queue->first;
			begin_at_destination(all, destination);
			return p;
		}
		user_queue_park(all, user_queue);
		refresh_destination(all, destination);
	}
}

static void
count_running(struct sched_destinations *all, const struct sched_destination *destination,
    struct sched_share *share, int change)
{
	sched_share_count(&all->shares, share, SCHED_SHARE_PROVEN, change);
	if (destination->is_proven)
		return;
	sched_share_count(&all->shares, share, SCHED_SHARE_UNPROVEN, change);
	all->running_unproven += (size_t)change;
}

void
sched_destinations_begin(
    struct sched_destinations *all, struct sched_destination *destination, struct sched_delivery *p)
{
	p->running_at = destination;
	p->previous = NULL;
	p->next = destination->first;
	if (p->next)
		p->next->previous = p;
	destination->first = p;
	destination->running++;
	all->running++;
	count_running(all, destination, sched_share_ref(&all->shares, p->user), 1);
	refresh_destination(all, destination);
}

void
sched_destinations_end(struct sched_destinations *all, struct sched_delivery *p)
{
	struct sched_destination *destination = p->running_at;
	struct sched_share *share = sched_share_find(&all->shares, p->user);

	count_running(all, destination, share, -1);
	sched_share_unref(&all->shares, share);
	if (p->previous)
		p->previous->next = p->next;
	else
		destination->first = p->next;
	if (p->next)
		p->next->previous = p->previous;
	p->running_at = NULL;
	p->next = p->previous = NULL;
	destination->running--;
	all->running--;
	refresh_destination(all, destination);
	free_destination_if_unused(all, destination);
}

/* ---- what is known of a destination ---- */

/* Running deliveries count as the other kind from now on, and user queues that waited for a share
 * of the old kind are checked again. */
static void
set_destination_proven(
    struct sched_destinations *all, struct sched_destination *destination, bool is_proven)
{
	int change = is_proven ? -1 : 1;
	struct user_queue *user_queue;

	if (destination->is_proven == is_proven)
		return;
	destination->is_proven = is_proven;
	for (struct sched_delivery *p = destination->first; p; p = p->next) {
		sched_share_count(&all->shares, sched_share_find(&all->shares, p->user),
		    SCHED_SHARE_UNPROVEN, change);
		all->running_unproven += (size_t)change;
	}
	while ((user_queue = TAILQ_FIRST(&destination->parked)))
		unpark_user_queue(all, user_queue);
}

void
sched_destinations_answered(struct sched_destinations *all, struct sched_destination *destination)
{
	bool is_new = !destination->is_proven && destination->failures == 0;

	set_destination_proven(all, destination, true);
	destination->failures = 0;
	destination->window = is_new ? SCHEDULE_WINDOW_START : destination->window + 1;
	if (destination->window > all->destination_concurrency)
		destination->window = all->destination_concurrency;
	mem_free(destination->status);
	destination->status = NULL;
	sched_destinations_resume(all, destination);
}

void
sched_destinations_back_off(struct sched_destinations *all, struct sched_destination *destination)
{
	destination->window = 1;
	destination->failures++;
	set_destination_proven(all, destination, false);
	refresh_destination(all, destination);
}

void
sched_destinations_pause(struct sched_destinations *all, struct sched_destination *destination,
    const struct smtp_status *status, int64_t until_ms)
{
	set_paused(all, destination, true);
	if (status && !destination->status)
		destination->status = MEM_NEW(struct smtp_status);
	if (status)
		*destination->status = *status;
	timers_set(all->timers, &destination->timer, until_ms);
	sched_destinations_back_off(all, destination);
}

void
sched_destinations_resume(struct sched_destinations *all, struct sched_destination *destination)
{
	set_paused(all, destination, false);
	timers_remove(all->timers, &destination->timer);
	refresh_destination(all, destination);
	free_destination_if_unused(all, destination);
}

void
sched_destinations_retry_now(struct sched_destinations *all, struct sched_delivery *p)
{
	user_queue_put_first(all, p);
	sched_destinations_resume(all, p->user_queue->destination);
}

/*
 * domains: slots.  A site stands in `open` exactly when it has a lane that is not parked,
 * has room in its window and is not paused; every function that changes one of these ends in
 * `refresh_destination`.  A lane is parked when its turn comes and its user holds its share; it
 * comes back when the user may begin again, one lane at a time, so that an act costs the logarithm
 * of what is queued, on average over many.
 */
#include "queue/destinations.h"

#include "base/mem.h"
#include "queue/user_queues.h"

enum { TURN_BITS = 40, PART_SCALE = 1024, DESTINATION_FACTOR = 4 };

void
sched_destinations_init(struct sched_destinations *all, struct timers *timers, uint8_t timer_kind)
{
	*all = (struct sched_destinations){
	    .by_name = map_new(), .lanes = map_new(), .timers = timers, .timer_kind = timer_kind};
	sched_shares_init(&all->shares);
	for (int kind = 0; kind < SCHED_SHARE_KINDS; kind++)
		timers_init(&all->open[kind]);
}

static void
free_sched_destination(struct str key, void *value, void *arg)
{
	struct sched_destination *site = value;

	(void)key;
	(void)arg;
	mem_free((char *)site->name.p);
	mem_free(site->status);
	mem_free(site);
}

void
sched_destinations_clear(struct sched_destinations *all)
{
	map_each(all->by_name, free_sched_destination, NULL);
	map_free(&all->by_name);
	map_free_all(&all->lanes);
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

/* Slots that a site of this kind may still take. */
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

/* The smaller the part of its window that it holds, the sooner. */
static int64_t
destination_rank(const struct sched_destination *site)
{
	int64_t part = (int64_t)site->running * PART_SCALE / site->window;

	return part << TURN_BITS | (int64_t)site->turn;
}

static void
refresh_destination(struct sched_destinations *all, struct sched_destination *site)
{
	bool may = !TAILQ_EMPTY(&site->lanes) && site->running < site->window &&
	           !sched_destinations_is_paused(site);
	enum sched_share_kind kind = sched_destination_kind(site);

	if (site->order.place && (!may || site->order.kind != kind))
		timers_remove(&all->open[site->order.kind], &site->order);
	if (!may)
		return;
	site->order.kind = (uint8_t)kind;
	timers_set(&all->open[kind], &site->order, destination_rank(site));
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
destination_may_begin(const struct sched_destinations *all, const struct sched_destination *site)
{
	uint64_t left = free_slots(all, sched_destination_kind(site));

	if (left == 0 || site->running == 0)
		return left > 0;
	return (uint64_t)site->running * all->concurrency <
	       DESTINATION_FACTOR * left * site->window;
}

/* When the first of its kind may not begin, no other may. */
static struct sched_destination *
next_open_destination(const struct sched_destinations *all)
{
	struct sched_destination *best = NULL;

	for (int kind = 0; kind < SCHED_SHARE_KINDS; kind++) {
		struct sched_destination *site =
		    first_open_destination(all, (enum sched_share_kind)kind);

		if (!site || !destination_may_begin(all, site))
			continue;
		if (!best || site->order.at_ms < best->order.at_ms)
			best = site;
	}
	return best;
}

static struct user_queue *
next_parked_queue(const struct sched_destinations *all)
{
	struct user_queue *lane = NULL;

	for (int kind = 0; kind < SCHED_SHARE_KINDS && !lane; kind++)
		lane = sched_shares_next_parked(&all->shares, (enum sched_share_kind)kind,
		    free_slots(all, (enum sched_share_kind)kind));
	return lane;
}

bool
sched_destinations_may_take(const struct sched_destinations *all)
{
	return next_open_destination(all) || next_parked_queue(all);
}

/* ---- sites ---- */

static void
free_destination_if_unused(struct sched_destinations *all, struct sched_destination *site)
{
	if (site->references || site->ready || site->running || sched_destinations_is_paused(site))
		return;
	map_remove(all->by_name, site->name);
	free_sched_destination(site->name, site, NULL);
}

struct sched_destination *
sched_destinations_ref(struct sched_destinations *all, struct str name)
{
	struct sched_destination *site = map_get(all->by_name, name);

	if (!site) {
		site = MEM_NEW(struct sched_destination);
		site->timer.kind = all->timer_kind;
		site->name = str_make(mem_text(name.p, name.n), name.n);
		site->window = 1;
		site->turn = ++all->turn;
		TAILQ_INIT(&site->lanes);
		TAILQ_INIT(&site->parked);
		map_put(all->by_name, site->name, site);
	}
	site->references++;
	return site;
}

void
sched_destinations_unref(struct sched_destinations *all, struct sched_destination **site)
{
	struct sched_destination *s = *site;

	*site = NULL;
	if (!s)
		return;
	s->references--;
	free_destination_if_unused(all, s);
}

static void
limit_destination_window(struct str key, void *value, void *arg)
{
	struct sched_destination *site = value;
	struct sched_destinations *all = arg;

	(void)key;
	if (site->window > all->site_concurrency)
		site->window = all->site_concurrency;
	refresh_destination(all, site);
}

void
sched_destinations_configure(
    struct sched_destinations *all, uint32_t concurrency, uint32_t site_concurrency)
{
	all->concurrency = concurrency;
	all->site_concurrency = site_concurrency;
	map_each(all->by_name, limit_destination_window, all);
}

/* ---- lanes ---- */

static void
count_paused(struct sched_destinations *all, int64_t change)
{
	all->ready_paused += (size_t)change;
	/* one that went below zero is huge */
	if (all->ready_paused > all->ready)
		die("sites: more is counted at paused sites than is ready");
}

/* The one place where a pause begins and ends, so that the count cannot go wrong. */
static void
set_paused(struct sched_destinations *all, struct sched_destination *site, bool is_paused)
{
	if (site->is_paused == is_paused)
		return;
	site->is_paused = is_paused;
	count_paused(all, is_paused ? (int64_t)site->ready : -(int64_t)site->ready);
}

void
sched_destinations_push(
    struct sched_destinations *all, struct sched_destination *site, struct sched_delivery *p)
{
	p->site = site;
	user_queue_add(all, site, p);
	site->ready++;
	all->ready++;
	count_paused(all, sched_destinations_is_paused(site));
	refresh_destination(all, site);
}

/* Not ready any more. */
static void
destination_unready(struct sched_destinations *all, struct sched_delivery *p)
{
	if (sched_destinations_is_paused(p->site))
		count_paused(all, -1);
	p->site->ready--;
	all->ready--;
	user_queue_remove(all, p);
}

void
sched_destinations_pull(struct sched_destinations *all, struct sched_delivery *p)
{
	struct sched_destination *site = p->site;

	destination_unready(all, p);
	p->site = NULL;
	refresh_destination(all, site);
	free_destination_if_unused(all, site);
}

/* ---- running ---- */

static void
begin_at_destination(struct sched_destinations *all, struct sched_destination *site)
{
	struct user_queue *lane = TAILQ_FIRST(&site->lanes);
	struct sched_delivery *p = lane->first;

	TAILQ_REMOVE(&site->lanes, lane, link);
	TAILQ_INSERT_TAIL(&site->lanes, lane, link);
	site->turn = ++all->turn;
	destination_unready(all, p);
	sched_destinations_begin(all, site, p);
}

static void
unpark_user_queue(struct sched_destinations *all, struct user_queue *lane)
{
	user_queue_unpark(all, lane);
	refresh_destination(all, lane->site);
}

struct sched_delivery *
sched_destinations_take(struct sched_destinations *all)
{
	for (;;) {
		struct user_queue *parked = next_parked_queue(all), *lane;
		struct sched_destination *site;
		struct sched_delivery *p;

		if (parked)
			unpark_user_queue(all, parked);
		site = next_open_destination(all);
		if (!site && !parked)
			return NULL;
		if (!site)
			continue;
		lane = TAILQ_FIRST(&site->lanes);
		if (sched_share_may_begin(lane->share, sched_destination_kind(site),
		        free_slots(all, sched_destination_kind(site)))) {
			p = lane->first;
			begin_at_destination(all, site);
			return p;
		}
		user_queue_park(all, lane);
		refresh_destination(all, site);
	}
}

static void
count_running(struct sched_destinations *all, const struct sched_destination *site,
    struct sched_delivery *p, int change)
{
	sched_share_count(&all->shares, p->share, SCHED_SHARE_PROVEN, change);
	if (site->is_proven)
		return;
	sched_share_count(&all->shares, p->share, SCHED_SHARE_UNPROVEN, change);
	all->running_unproven += (size_t)change;
}

void
sched_destinations_begin(
    struct sched_destinations *all, struct sched_destination *site, struct sched_delivery *p)
{
	p->site = site;
	p->share = sched_share_ref(&all->shares, p->user);
	p->previous = NULL;
	p->next = site->first;
	if (p->next)
		p->next->previous = p;
	site->first = p;
	site->running++;
	all->running++;
	count_running(all, site, p, 1);
	refresh_destination(all, site);
}

void
sched_destinations_end(struct sched_destinations *all, struct sched_delivery *p)
{
	struct sched_destination *site = p->site;

	count_running(all, site, p, -1);
	sched_share_unref(&all->shares, p->share);
	if (p->previous)
		p->previous->next = p->next;
	else
		site->first = p->next;
	if (p->next)
		p->next->previous = p->previous;
	p->site = NULL;
	p->share = NULL;
	p->next = p->previous = NULL;
	site->running--;
	all->running--;
	refresh_destination(all, site);
	free_destination_if_unused(all, site);
}

/* ---- what is known of a site ---- */

/* What runs there counts as the other kind from now on, and lanes that waited for the share of the
 * old kind are looked at again. */
static void
set_destination_proven(
    struct sched_destinations *all, struct sched_destination *site, bool is_proven)
{
	int change = is_proven ? -1 : 1;
	struct user_queue *lane;

	if (site->is_proven == is_proven)
		return;
	site->is_proven = is_proven;
	for (struct sched_delivery *p = site->first; p; p = p->next) {
		sched_share_count(&all->shares, p->share, SCHED_SHARE_UNPROVEN, change);
		all->running_unproven += (size_t)change;
	}
	while ((lane = TAILQ_FIRST(&site->parked)))
		unpark_user_queue(all, lane);
}

void
sched_destinations_answered(struct sched_destinations *all, struct sched_destination *site)
{
	bool is_new = !site->is_proven && site->failures == 0;

	set_destination_proven(all, site, true);
	site->failures = 0;
	site->window = is_new ? SCHEDULE_WINDOW_START : site->window + 1;
	if (site->window > all->site_concurrency)
		site->window = all->site_concurrency;
	mem_free(site->status);
	site->status = NULL;
	sched_destinations_resume(all, site);
}

void
sched_destinations_back_off(struct sched_destinations *all, struct sched_destination *site)
{
	site->window = 1;
	site->failures++;
	set_destination_proven(all, site, false);
	refresh_destination(all, site);
}

void
sched_destinations_pause(struct sched_destinations *all, struct sched_destination *site,
    const struct smtp_status *status, int64_t until_ms)
{
	set_paused(all, site, true);
	if (status && !site->status)
		site->status = MEM_NEW(struct smtp_status);
	if (status)
		*site->status = *status;
	timers_set(all->timers, &site->timer, until_ms);
	sched_destinations_back_off(all, site);
}

void
sched_destinations_resume(struct sched_destinations *all, struct sched_destination *site)
{
	set_paused(all, site, false);
	timers_remove(all->timers, &site->timer);
	refresh_destination(all, site);
	free_destination_if_unused(all, site);
}

void
sched_destinations_retry_now(struct sched_destinations *all, struct sched_delivery *p)
{
	user_queue_put_first(all, p);
	sched_destinations_resume(all, p->site);
}

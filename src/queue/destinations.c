/*
 * destinations: slots.  A site stands in `open` exactly when it has a lane that is not parked,
 * has room in its window and is not paused; every function that changes one of these ends in
 * `site_refresh`.  A lane is parked when its turn comes and its user holds its share; it comes back
 * when the user may begin again, one lane at a time, so that an act costs the logarithm of what is
 * queued, on average over many.
 */
#include "queue/destinations.h"

#include "base/mem.h"
#include "queue/user_queues.h"

enum { TURN_BITS = 40, PART_SCALE = 1024, SITE_FACTOR = 4 };

void
sites_init(struct sites *all, struct timers *timers, uint8_t timer_kind)
{
	*all = (struct sites){
	    .by_name = map_new(), .lanes = map_new(), .timers = timers, .timer_kind = timer_kind};
	shares_init(&all->shares);
	for (int kind = 0; kind < SHARE_KINDS; kind++)
		timers_init(&all->open[kind]);
}

static void
free_site(struct str key, void *value, void *arg)
{
	struct site *site = value;

	(void)key;
	(void)arg;
	mem_free((char *)site->name.p);
	mem_free(site->status);
	mem_free(site);
}

void
sites_clear(struct sites *all)
{
	map_each(all->by_name, free_site, NULL);
	map_free(&all->by_name);
	map_free_all(&all->lanes);
	shares_clear(&all->shares);
	for (int kind = 0; kind < SHARE_KINDS; kind++)
		timers_clear(&all->open[kind]);
}

/* ---- what may begin ---- */

static uint32_t
unproven_slots(const struct sites *all)
{
	return all->concurrency > 1 ? all->concurrency / 2 : 1;
}

/* Slots that a site of this kind may still take. */
static uint32_t
free_slots(const struct sites *all, enum share_kind kind)
{
	uint32_t slots = unproven_slots(all), left = 0, left_unproven = 0;

	if (all->running < all->concurrency)
		left = all->concurrency - (uint32_t)all->running;
	if (kind == SHARE_PROVEN)
		return left;
	if (all->running_unproven < slots)
		left_unproven = slots - (uint32_t)all->running_unproven;
	return left < left_unproven ? left : left_unproven;
}

/* The smaller the part of its window that it holds, the sooner. */
static int64_t
site_rank(const struct site *site)
{
	int64_t part = (int64_t)site->running * PART_SCALE / site->window;

	return part << TURN_BITS | (int64_t)site->turn;
}

static void
site_refresh(struct sites *all, struct site *site)
{
	bool may = !TAILQ_EMPTY(&site->lanes) && site->running < site->window &&
	           !sites_is_paused(site);
	enum share_kind kind = site_kind(site);

	if (site->order.place && (!may || site->order.kind != kind))
		timers_remove(&all->open[site->order.kind], &site->order);
	if (!may)
		return;
	site->order.kind = (uint8_t)kind;
	timers_set(&all->open[kind], &site->order, site_rank(site));
}

static struct site *
first_open(const struct sites *all, enum share_kind kind)
{
	const struct timer *first = timers_first(&all->open[kind]);

	return first ? (struct site *)((char *)first - offsetof(struct site, order)) : NULL;
}

static bool
site_may_begin(const struct sites *all, const struct site *site)
{
	uint64_t left = free_slots(all, site_kind(site));

	if (left == 0 || site->running == 0)
		return left > 0;
	return (uint64_t)site->running * all->concurrency < SITE_FACTOR * left * site->window;
}

/* When the first of its kind may not begin, no other may. */
static struct site *
next_site(const struct sites *all)
{
	struct site *best = NULL;

	for (int kind = 0; kind < SHARE_KINDS; kind++) {
		struct site *site = first_open(all, (enum share_kind)kind);

		if (!site || !site_may_begin(all, site))
			continue;
		if (!best || site->order.at_ms < best->order.at_ms)
			best = site;
	}
	return best;
}

static struct lane *
next_parked(const struct sites *all)
{
	struct lane *lane = NULL;

	for (int kind = 0; kind < SHARE_KINDS && !lane; kind++)
		lane = shares_next_parked(
		    &all->shares, (enum share_kind)kind, free_slots(all, (enum share_kind)kind));
	return lane;
}

bool
sites_may_take(const struct sites *all)
{
	return next_site(all) || next_parked(all);
}

/* ---- sites ---- */

static void
site_free_if_unused(struct sites *all, struct site *site)
{
	if (site->references || site->ready || site->running || sites_is_paused(site))
		return;
	map_remove(all->by_name, site->name);
	free_site(site->name, site, NULL);
}

struct site *
sites_keep(struct sites *all, struct str name)
{
	struct site *site = map_get(all->by_name, name);

	if (!site) {
		site = MEM_NEW(struct site);
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
sites_drop(struct sites *all, struct site **site)
{
	struct site *s = *site;

	*site = NULL;
	if (!s)
		return;
	s->references--;
	site_free_if_unused(all, s);
}

static void
narrow(struct str key, void *value, void *arg)
{
	struct site *site = value;
	struct sites *all = arg;

	(void)key;
	if (site->window > all->site_concurrency)
		site->window = all->site_concurrency;
	site_refresh(all, site);
}

void
sites_configure(struct sites *all, uint32_t concurrency, uint32_t site_concurrency)
{
	all->concurrency = concurrency;
	all->site_concurrency = site_concurrency;
	map_each(all->by_name, narrow, all);
}

/* ---- lanes ---- */

static void
count_paused(struct sites *all, int64_t change)
{
	all->ready_paused += (size_t)change;
	/* one that went below zero is huge */
	if (all->ready_paused > all->ready)
		die("sites: more is counted at paused sites than is ready");
}

/* The one place where a pause begins and ends, so that the count cannot go wrong. */
static void
set_paused(struct sites *all, struct site *site, bool is_paused)
{
	if (site->is_paused == is_paused)
		return;
	site->is_paused = is_paused;
	count_paused(all, is_paused ? (int64_t)site->ready : -(int64_t)site->ready);
}

void
sites_push(struct sites *all, struct site *site, struct parcel *p)
{
	p->site = site;
	lane_add(all, site, p);
	site->ready++;
	all->ready++;
	count_paused(all, sites_is_paused(site));
	site_refresh(all, site);
}

/* Not ready any more. */
static void
site_unready(struct sites *all, struct parcel *p)
{
	if (sites_is_paused(p->site))
		count_paused(all, -1);
	p->site->ready--;
	all->ready--;
	lane_remove(all, p);
}

void
sites_pull(struct sites *all, struct parcel *p)
{
	struct site *site = p->site;

	site_unready(all, p);
	p->site = NULL;
	site_refresh(all, site);
	site_free_if_unused(all, site);
}

/* ---- running ---- */

static void
site_begins(struct sites *all, struct site *site)
{
	struct lane *lane = TAILQ_FIRST(&site->lanes);
	struct parcel *p = lane->first;

	TAILQ_REMOVE(&site->lanes, lane, link);
	TAILQ_INSERT_TAIL(&site->lanes, lane, link);
	site->turn = ++all->turn;
	site_unready(all, p);
	sites_begin(all, site, p);
}

static void
site_unpark(struct sites *all, struct lane *lane)
{
	lane_unpark(all, lane);
	site_refresh(all, lane->site);
}

struct parcel *
sites_take(struct sites *all)
{
	for (;;) {
		struct lane *parked = next_parked(all), *lane;
		struct site *site;
		struct parcel *p;

		if (parked)
			site_unpark(all, parked);
		site = next_site(all);
		if (!site && !parked)
			return NULL;
		if (!site)
			continue;
		lane = TAILQ_FIRST(&site->lanes);
		if (share_may_begin(
		        lane->share, site_kind(site), free_slots(all, site_kind(site)))) {
			p = lane->first;
			site_begins(all, site);
			return p;
		}
		lane_park(all, lane);
		site_refresh(all, site);
	}
}

static void
count_running(struct sites *all, const struct site *site, struct parcel *p, int change)
{
	share_count(&all->shares, p->share, SHARE_PROVEN, change);
	if (site->is_proven)
		return;
	share_count(&all->shares, p->share, SHARE_UNPROVEN, change);
	all->running_unproven += (size_t)change;
}

void
sites_begin(struct sites *all, struct site *site, struct parcel *p)
{
	p->site = site;
	p->share = share_keep(&all->shares, p->user);
	p->previous = NULL;
	p->next = site->first;
	if (p->next)
		p->next->previous = p;
	site->first = p;
	site->running++;
	all->running++;
	count_running(all, site, p, 1);
	site_refresh(all, site);
}

void
sites_end(struct sites *all, struct parcel *p)
{
	struct site *site = p->site;

	count_running(all, site, p, -1);
	share_drop(&all->shares, p->share);
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
	site_refresh(all, site);
	site_free_if_unused(all, site);
}

/* ---- what is known of a site ---- */

/* What runs there counts as the other kind from now on, and lanes that waited for the share of the
 * old kind are looked at again. */
static void
site_prove(struct sites *all, struct site *site, bool is_proven)
{
	int change = is_proven ? -1 : 1;
	struct lane *lane;

	if (site->is_proven == is_proven)
		return;
	site->is_proven = is_proven;
	for (struct parcel *p = site->first; p; p = p->next) {
		share_count(&all->shares, p->share, SHARE_UNPROVEN, change);
		all->running_unproven += (size_t)change;
	}
	while ((lane = TAILQ_FIRST(&site->parked)))
		site_unpark(all, lane);
}

void
sites_answers(struct sites *all, struct site *site)
{
	bool is_new = !site->is_proven && site->failures == 0;

	site_prove(all, site, true);
	site->failures = 0;
	site->window = is_new ? SCHEDULE_WINDOW_START : site->window + 1;
	if (site->window > all->site_concurrency)
		site->window = all->site_concurrency;
	mem_free(site->status);
	site->status = NULL;
	sites_wake(all, site);
}

void
sites_doubt(struct sites *all, struct site *site)
{
	site->window = 1;
	site->failures++;
	site_prove(all, site, false);
	site_refresh(all, site);
}

void
sites_pause(struct sites *all, struct site *site, const struct status *status, int64_t until_ms)
{
	set_paused(all, site, true);
	if (status && !site->status)
		site->status = MEM_NEW(struct status);
	if (status)
		*site->status = *status;
	timers_set(all->timers, &site->timer, until_ms);
	sites_doubt(all, site);
}

void
sites_wake(struct sites *all, struct site *site)
{
	set_paused(all, site, false);
	timers_remove(all->timers, &site->timer);
	site_refresh(all, site);
	site_free_if_unused(all, site);
}

void
sites_hurry(struct sites *all, struct parcel *p)
{
	lane_lead(all, p);
	sites_wake(all, p->site);
}

/*
 * sites: rings and lines.  A site stands in the ring exactly when it has a parcel ready, has room
 * in its window and is not paused; every function that changes one of these ends in `refresh`.
 */
#include "queue/sites.h"

#include "base/mem.h"

struct lane {
	struct lane *next, *previous; /* ring of the site */
	struct site *site;
	const void *user;
	struct parcel *first, *last;
};

struct lane_key {
	const void *site;
	const void *user;
};

void
sites_init(struct sites *all, struct timers *timers, uint8_t timer_kind)
{
	*all = (struct sites){
	    .by_name = map_new(), .lanes = map_new(), .timers = timers, .timer_kind = timer_kind};
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

static void
free_lane(struct str key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	mem_free(value);
}

void
sites_clear(struct sites *all)
{
	map_each(all->by_name, free_site, NULL);
	map_each(all->lanes, free_lane, NULL);
	map_free(&all->by_name);
	map_free(&all->lanes);
}

static void
enter_ring(struct sites *all, struct site *site)
{
	if (!all->ring) {
		site->next = site->previous = site;
		all->ring = site;
	} else {
		site->next = all->ring;
		site->previous = all->ring->previous;
		site->previous->next = site;
		site->next->previous = site;
	}
	site->in_ring = true;
}

static void
leave_ring(struct sites *all, struct site *site)
{
	if (all->ring == site)
		all->ring = site->next == site ? NULL : site->next;
	site->previous->next = site->next;
	site->next->previous = site->previous;
	site->in_ring = false;
}

static void
refresh(struct sites *all, struct site *site)
{
	bool may = site->ready > 0 && site->running < site->window && !sites_is_paused(site);

	if (may && !site->in_ring)
		enter_ring(all, site);
	else if (!may && site->in_ring)
		leave_ring(all, site);
}

static void
free_if_unused(struct sites *all, struct site *site)
{
	if (site->references || site->ready || site->running || sites_is_paused(site))
		return;
	map_remove(all->by_name, site->name);
	free_site(site->name, site, NULL);
}

static uint32_t
first_window(const struct sites *all)
{
	uint32_t start = SCHEDULE_WINDOW_START;

	return start < all->site_concurrency ? start : all->site_concurrency;
}

struct site *
sites_keep(struct sites *all, struct str name)
{
	struct site *site = map_get(all->by_name, name);

	if (!site) {
		site = MEM_NEW(struct site);
		site->timer.kind = all->timer_kind;
		site->name = str_make(mem_text(name.p, name.n), name.n);
		site->window = first_window(all);
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
	free_if_unused(all, s);
}

static void
narrow(struct str key, void *value, void *arg)
{
	struct site *site = value;
	struct sites *all = arg;

	(void)key;
	if (site->window > all->site_concurrency)
		site->window = all->site_concurrency;
	refresh(all, site);
}

void
sites_configure(struct sites *all, uint32_t site_concurrency)
{
	all->site_concurrency = site_concurrency;
	map_each(all->by_name, narrow, all);
}

static struct lane *
lane_of(struct sites *all, struct site *site, const void *user)
{
	struct lane_key key = {site, user};
	struct str name = {(const char *)&key, sizeof key};
	struct lane *lane = map_get(all->lanes, name);

	if (lane)
		return lane;
	lane = MEM_NEW(struct lane);
	lane->site = site;
	lane->user = user;
	if (!site->lanes) {
		lane->next = lane->previous = lane;
		site->lanes = lane;
	} else {
		lane->next = site->lanes;
		lane->previous = site->lanes->previous;
		lane->previous->next = lane;
		lane->next->previous = lane;
	}
	map_put(all->lanes, name, lane);
	return lane;
}

static void
lane_end(struct sites *all, struct lane *lane)
{
	struct lane_key key = {lane->site, lane->user};
	struct site *site = lane->site;

	if (site->lanes == lane)
		site->lanes = lane->next == lane ? NULL : lane->next;
	lane->previous->next = lane->next;
	lane->next->previous = lane->previous;
	map_remove(all->lanes, str_make((const char *)&key, sizeof key));
	mem_free(lane);
}

void
sites_push(struct sites *all, struct site *site, struct parcel *p)
{
	struct lane *lane = lane_of(all, site, p->user);

	p->lane = lane;
	p->site = site;
	p->next = NULL;
	p->previous = lane->last;
	if (lane->last)
		lane->last->next = p;
	else
		lane->first = p;
	lane->last = p;
	site->ready++;
	all->ready++;
	refresh(all, site);
}

static void
unlink_parcel(struct sites *all, struct parcel *p)
{
	struct lane *lane = p->lane;

	if (p->previous)
		p->previous->next = p->next;
	else
		lane->first = p->next;
	if (p->next)
		p->next->previous = p->previous;
	else
		lane->last = p->previous;
	p->lane = NULL;
	p->next = p->previous = NULL;
	if (!lane->first)
		lane_end(all, lane);
}

void
sites_pull(struct sites *all, struct parcel *p)
{
	struct site *site = p->site;

	unlink_parcel(all, p);
	p->site = NULL;
	site->ready--;
	all->ready--;
	refresh(all, site);
	free_if_unused(all, site);
}

struct parcel *
sites_take(struct sites *all)
{
	struct site *site = all->ring;
	struct parcel *p;

	if (!site)
		return NULL;
	all->ring = site->next;
	p = site->lanes->first;
	site->lanes = site->lanes->next;
	unlink_parcel(all, p);
	site->ready--;
	all->ready--;
	sites_begin(all, site, p);
	return p;
}

void
sites_begin(struct sites *all, struct site *site, struct parcel *p)
{
	p->site = site;
	site->running++;
	all->running++;
	refresh(all, site);
}

void
sites_end(struct sites *all, struct parcel *p)
{
	struct site *site = p->site;

	p->site = NULL;
	site->running--;
	all->running--;
	refresh(all, site);
	free_if_unused(all, site);
}

void
sites_answers(struct sites *all, struct site *site)
{
	site->failures = 0;
	if (site->window < all->site_concurrency)
		site->window++;
	mem_free(site->status);
	site->status = NULL;
	sites_wake(all, site);
}

void
sites_pause(struct sites *all, struct site *site, const struct status *status, int64_t until_ms)
{
	site->window = 1;
	if (!sites_is_paused(site))
		site->failures++;
	if (status && !site->status)
		site->status = MEM_NEW(struct status);
	if (status)
		*site->status = *status;
	timers_set(all->timers, &site->timer, until_ms);
	refresh(all, site);
}

void
sites_wake(struct sites *all, struct site *site)
{
	timers_remove(all->timers, &site->timer);
	refresh(all, site);
	free_if_unused(all, site);
}

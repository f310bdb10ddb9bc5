/*
 * schedule: parcels and the domains they are for.  A parcel has one timer: its due time while it
 * waits, afterwards the end of its life, at which the pause of its site or domain ends for it, and
 * after that the time at which it is given up.  What must be told to the owner stands in `todo`, a
 * list of domains, and comes out one step at a time.
 */
#include "queue/schedule.h"

#include "base/map.h"
#include "base/mem.h"
#include "queue/destinations.h"
#include "queue/domains.h"
#include "queue/lifetime.h"

enum timer_kind { TIMER_PARCEL, TIMER_SITE, TIMER_DESTINATION };
enum {
	TTL_MIN_S = 10,
	TTL_MAX_S = 3600,
	EXPIRY_GRACE_MS = 60 * 1000,
};

struct schedule {
	struct schedule_limits limits;
	struct timers timers;
	struct sites sites;
	struct destinations destinations;
	size_t waiting;
};

struct schedule *
schedule_new(const struct schedule_limits *limits)
{
	struct schedule *s = MEM_NEW(struct schedule);

	timers_init(&s->timers);
	sites_init(&s->sites, &s->timers, TIMER_SITE);
	destinations_init(&s->destinations, &s->timers, &s->sites, TIMER_DESTINATION);
	schedule_configure(s, limits);
	return s;
}

void
schedule_free(struct schedule **s)
{
	if (!*s)
		return;
	destinations_clear(&(*s)->destinations);
	sites_clear(&(*s)->sites);
	timers_clear(&(*s)->timers);
	mem_free(*s);
	*s = NULL;
}

void
schedule_configure(struct schedule *s, const struct schedule_limits *limits)
{
	s->limits = *limits;
	sites_configure(&s->sites, limits->concurrency, limits->site_concurrency);
}

int64_t
schedule_backoff_ms(const struct schedule *s, unsigned failures)
{
	size_t last = s->limits.retry_count - 1;

	return s->limits.retry_ms[failures > last ? last : failures ? failures - 1 : 0];
}

static int64_t
pause_ms(const struct schedule *s, unsigned failures)
{
	int64_t ms = schedule_backoff_ms(s, failures);

	return ms < SCHEDULE_PAUSE_MAX_MS ? ms : SCHEDULE_PAUSE_MAX_MS;
}

/* ---- parcels ---- */

static void
join_site(struct schedule *s, struct parcel *p)
{
	p->state = PARCEL_READY;
	sites_push(&s->sites, p->destination->site, p);
}

static void
become_due(struct schedule *s, struct parcel *p, int64_t now_ms)
{
	struct destination *d = p->destination;

	s->waiting--;
	timers_set(&s->timers, &p->timer, p->expires_ms > now_ms ? p->expires_ms : now_ms);
	if (d->state == DESTINATION_KNOWN) {
		join_site(s, p);
		return;
	}
	destinations_push(&s->destinations, p);
	if (d->state == DESTINATION_UNKNOWN || d->state == DESTINATION_REFUSED)
		destinations_list(&s->destinations, d);
}

static void
wait(struct schedule *s, struct parcel *p, int64_t now_ms)
{
	p->state = PARCEL_WAITING;
	s->waiting++;
	if (p->due_ms <= now_ms)
		become_due(s, p, now_ms);
	else
		timers_set(&s->timers, &p->timer, p->due_ms);
}

void
schedule_add(struct schedule *s, struct parcel *p, struct str domain, int64_t now_ms)
{
	p->timer.kind = TIMER_PARCEL;
	if (!p->since_ms)
		p->since_ms = now_ms;
	p->destination = destinations_get(&s->destinations, domain);
	p->destination->references++;
	wait(s, p, now_ms);
}

static void
leave(struct schedule *s, struct parcel *p)
{
	timers_remove(&s->timers, &p->timer);
	switch ((enum parcel_state)p->state) {
	case PARCEL_WAITING:
		s->waiting--;
		break;
	case PARCEL_ASKING:
		destinations_pull(&s->destinations, p);
		break;
	case PARCEL_READY:
		sites_pull(&s->sites, p);
		break;
	case PARCEL_RUNNING:
		sites_end(&s->sites, p);
		break;
	case PARCEL_IDLE:
		break;
	}
	p->state = PARCEL_IDLE;
}

void
schedule_remove(struct schedule *s, struct parcel *p)
{
	struct destination *d = p->destination;

	if (p->state == PARCEL_IDLE)
		return;
	leave(s, p);
	p->destination = NULL;
	d->references--;
	destinations_free_if_unused(&s->destinations, d);
}

void
schedule_live(struct schedule *s, struct parcel *p, int64_t now_ms)
{
	bool is_waiting = p->state == PARCEL_WAITING;

	if (!schedule_may_hurry(p))
		return;
	if (is_waiting)
		p->due_ms = lifetime_due_ms(p->expires_ms, p->due_ms, now_ms);
	timers_set(&s->timers, &p->timer, is_waiting ? p->due_ms : p->expires_ms);
}

bool
schedule_may_hurry(const struct parcel *p)
{
	return p->state != PARCEL_IDLE && p->state != PARCEL_RUNNING;
}

void
schedule_hurry(struct schedule *s, struct parcel *p, int64_t now_ms)
{
	struct destination *d = p->destination;

	if (!schedule_may_hurry(p))
		return;
	if (d->state == DESTINATION_DELAYED || d->state == DESTINATION_REFUSED) {
		destinations_forget_answer(&s->destinations, d);
		destinations_list(&s->destinations, d);
	}
	p->due_ms = now_ms;
	if (p->state == PARCEL_WAITING) {
		s->waiting--;
		wait(s, p, now_ms);
	}
	if (p->site && sites_is_paused(p->site))
		sites_hurry(&s->sites, p);
}

/* ---- answers ---- */

static void
send_on(struct schedule *s, struct destination *d)
{
	while (d->first) {
		struct parcel *p = d->first;

		destinations_pull(&s->destinations, p);
		join_site(s, p);
	}
}

static int64_t
ttl_ms(uint32_t ttl_s)
{
	if (ttl_s < TTL_MIN_S)
		ttl_s = TTL_MIN_S;
	return (int64_t)(ttl_s > TTL_MAX_S ? TTL_MAX_S : ttl_s) * 1000;
}

static void
answered_failure(struct schedule *s, struct destination *d, const struct status *status,
    int64_t ttl, int64_t now_ms)
{
	if (!d->status)
		d->status = MEM_NEW(struct status);
	*d->status = *status;
	d->failures++;
	d->found_ms = now_ms;
	if (status_is_permanent(status)) {
		d->state = DESTINATION_REFUSED;
	} else {
		destinations_delay(&s->destinations, d);
		ttl = pause_ms(s, d->failures);
	}
	timers_set(&s->timers, &d->timer, now_ms + ttl);
	destinations_list(&s->destinations, d);
}

void
schedule_answered(
    struct schedule *s, struct str domain, const struct schedule_answer *answer, int64_t now_ms)
{
	struct destination *d = map_get(s->destinations.by_name, domain);
	int64_t ttl = ttl_ms(answer->ttl_s);

	if (!d)
		return;
	destinations_forget_answer(&s->destinations, d);
	if (answer->site.n == 0) {
		answered_failure(s, d, answer->status, ttl, now_ms);
		return;
	}
	mem_free(d->status);
	d->status = NULL;
	d->failures = 0;
	d->state = DESTINATION_KNOWN;
	d->site = sites_keep(&s->sites, answer->site);
	timers_set(&s->timers, &d->timer, now_ms + ttl);
	send_on(s, d);
}

static void
site_is_away(struct schedule *s, struct site *site, const struct status *status, int64_t now_ms)
{
	site->found_ms = now_ms;
	if (!sites_is_paused(site))
		sites_pause(&s->sites, site, status, now_ms + pause_ms(s, site->failures + 1));
}

void
schedule_finished(struct schedule *s, struct parcel *p, enum schedule_outcome outcome,
    const struct status *status, int64_t now_ms)
{
	struct site *site = p->site;

	switch (outcome) {
	case SCHEDULE_REACHED:
		sites_answers(&s->sites, site);
		break;
	case SCHEDULE_AWAY:
		site_is_away(s, site, status, now_ms);
		break;
	case SCHEDULE_BUSY:
		if (site->failures)
			site_is_away(s, site, status, now_ms);
		else
			sites_doubt(&s->sites, site);
		break;
	case SCHEDULE_SILENT:
		sites_doubt(&s->sites, site);
		break;
	case SCHEDULE_LOST:
		break;
	}
	schedule_remove(s, p);
}

void
schedule_running(struct schedule *s, struct parcel *p, struct str domain, struct str site)
{
	struct site *at = sites_keep(&s->sites, site);

	p->timer.kind = TIMER_PARCEL;
	p->destination = destinations_get(&s->destinations, domain);
	p->destination->references++;
	p->state = PARCEL_RUNNING;
	sites_begin(&s->sites, at, p);
	sites_drop(&s->sites, &at);
}

void
schedule_relay_lost(struct schedule *s)
{
	destinations_ask_again(&s->destinations);
}

/* ---- steps ---- */

static void
step(
    struct schedule_step *out, enum schedule_act act, struct parcel *p, const struct destination *d)
{
	*out = (struct schedule_step){.act = act, .parcel = p, .domain = d->name};
	out->status = d->status;
}

/* Hands the parcel back for good.  Its domain is listed, so that its name is still valid for the
 * caller and it is looked at again if nothing else needs it. */
static void
hand_back(struct schedule *s, struct parcel *p, enum schedule_act act, struct schedule_step *out)
{
	step(out, act, p, p->destination);
	out->found_ms = p->destination->found_ms;
	if (p->site) {
		out->site = p->site->name;
		out->status = p->site->status;
		out->found_ms = p->site->found_ms;
	}
	p->destination->references--;
	destinations_list(&s->destinations, p->destination);
	leave(s, p);
	p->destination = NULL;
}

static bool
finding_counts(const struct parcel *p, int64_t found_ms, int64_t now_ms)
{
	return lifetime_finding_counts(p->expires_ms, p->since_ms, found_ms, now_ms);
}

/* However old it is, its site is tried before it is given up.  True: it must be given up. */
static bool
parcel_time(struct schedule *s, struct parcel *p, int64_t now_ms)
{
	if (p->state == PARCEL_WAITING) {
		become_due(s, p, now_ms);
		return false;
	}
	if (!lifetime_is_over(p->expires_ms, false, now_ms)) { /* it was given more time */
		timers_set(&s->timers, &p->timer, p->expires_ms);
		return false;
	}
	timers_set(&s->timers, &p->timer, now_ms + EXPIRY_GRACE_MS);
	if (p->state == PARCEL_READY && sites_is_paused(p->site)) {
		if (finding_counts(p, p->site->found_ms, now_ms))
			return true;
		sites_hurry(&s->sites, p);
	} else if (p->state == PARCEL_ASKING && p->destination->state == DESTINATION_DELAYED) {
		if (finding_counts(p, p->destination->found_ms, now_ms))
			return true;
		destinations_ask(&s->destinations, p->destination);
	}
	return false;
}

static bool
time_step(struct schedule *s, int64_t now_ms, struct schedule_step *out)
{
	struct timer *t;

	while ((t = timers_first(&s->timers)) && t->at_ms <= now_ms) {
		timers_remove(&s->timers, t);
		switch ((enum timer_kind)t->kind) {
		case TIMER_SITE:
			sites_wake(&s->sites, (struct site *)t);
			break;
		case TIMER_DESTINATION:
			destinations_ask(&s->destinations, (struct destination *)t);
			break;
		case TIMER_PARCEL:
			if (!parcel_time(s, (struct parcel *)t, now_ms))
				break;
			hand_back(s, (struct parcel *)t, SCHEDULE_EXPIRE, out);
			return true;
		}
	}
	return false;
}

/* One thing to say about the first domain in todo; when there is nothing more, it leaves the list.
 */
static bool
destination_step(struct schedule *s, struct destination *d, struct schedule_step *out)
{
	if (d->first && d->state == DESTINATION_REFUSED) {
		hand_back(s, d->first, SCHEDULE_REFUSE, out);
		return true;
	}
	if (d->first && d->state == DESTINATION_DELAYED && d->has_news) {
		d->has_news = false;
		hand_back(s, d->first, SCHEDULE_DEFER, out);
		return true;
	}
	destinations_unlist_first(&s->destinations);
	if (d->first && d->state == DESTINATION_UNKNOWN)
		destinations_look_up(&s->destinations, d);
	destinations_free_if_unused(&s->destinations, d);
	return false;
}

void
schedule_next(struct schedule *s, int64_t now_ms, struct schedule_step *out)
{
	struct destination *d;
	struct parcel *p;

	*out = (struct schedule_step){.act = SCHEDULE_NOTHING};
	if (time_step(s, now_ms, out))
		return;
	while (s->destinations.todo)
		if (destination_step(s, s->destinations.todo, out))
			return;
	if ((d = destinations_next_lookup(&s->destinations)))
		step(out, SCHEDULE_ASK, NULL, d);
	if (d || !(p = sites_take(&s->sites)))
		return;
	timers_remove(&s->timers, &p->timer);
	p->state = PARCEL_RUNNING;
	step(out, SCHEDULE_DELIVER, p, p->destination);
	out->site = p->site->name;
}

int64_t
schedule_wake_ms(const struct schedule *s)
{
	const struct timer *first = timers_first(&s->timers);

	if (s->destinations.todo || lookups_may_take(&s->destinations.lookups) ||
	    sites_may_take(&s->sites))
		return 0;
	return first ? first->at_ms : INT64_MAX;
}

/* ---- questions ---- */

static int64_t
earlier_ms(const struct timer *a, const struct timer *b)
{
	return a->at_ms < b->at_ms ? a->at_ms : b->at_ms;
}

void
schedule_explain(const struct schedule *s, const struct parcel *p, struct schedule_info *out)
{
	const struct destination *d = p->destination;
	const struct site *site = p->site;

	(void)s;
	*out = (struct schedule_info){0};
	if (!d)
		return;
	if (!site)
		site = d->site;
	out->domain = d->name;
	if (site)
		out->site = site->name;
	if (p->state == PARCEL_WAITING) {
		out->next_ms = p->due_ms;
	} else if (p->state == PARCEL_ASKING && d->state == DESTINATION_DELAYED) {
		out->next_ms = earlier_ms(&d->timer, &p->timer);
		out->status = d->status;
		out->found_ms = d->found_ms;
	} else if (p->state == PARCEL_READY && site->status) {
		if (sites_is_paused(site))
			out->next_ms = earlier_ms(&site->timer, &p->timer);
		out->status = site->status;
		out->found_ms = site->found_ms;
	}
}

void
schedule_count(const struct schedule *s, struct schedule_totals *out)
{
	*out = (struct schedule_totals){.waiting = s->waiting, .asking = s->destinations.asking};
	out->ready = s->sites.ready;
	out->running = s->sites.running;
	out->delayed = s->destinations.delayed + s->sites.ready_paused;
	out->running_unproven = s->sites.running_unproven;
	out->sites = map_count(s->sites.by_name);
	out->destinations = map_count(s->destinations.by_name);
}

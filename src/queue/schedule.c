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

enum timer_kind { TIMER_DELIVERY, TIMER_DESTINATION, TIMER_DOMAIN };
enum {
	TTL_MIN_S = 10,
	TTL_MAX_S = 3600,
	EXPIRY_GRACE_MS = 60 * 1000,
};

struct schedule {
	struct schedule_limits limits;
	struct timers timers;
	struct sched_destinations sites;
	struct sched_domains destinations;
	size_t waiting;
};

struct schedule *
schedule_new(const struct schedule_limits *limits)
{
	struct schedule *s = MEM_NEW(struct schedule);

	timers_init(&s->timers);
	sched_destinations_init(&s->sites, &s->timers, TIMER_DESTINATION);
	sched_domains_init(&s->destinations, &s->timers, &s->sites, TIMER_DOMAIN);
	schedule_configure(s, limits);
	return s;
}

void
schedule_free(struct schedule **s)
{
	if (!*s)
		return;
	sched_domains_clear(&(*s)->destinations);
	sched_destinations_clear(&(*s)->sites);
	timers_clear(&(*s)->timers);
	mem_free(*s);
	*s = NULL;
}

void
schedule_configure(struct schedule *s, const struct schedule_limits *limits)
{
	s->limits = *limits;
	sched_destinations_configure(&s->sites, limits->concurrency, limits->site_concurrency);
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
join_destination(struct schedule *s, struct sched_delivery *p)
{
	p->state = DELIVERY_READY;
	sched_destinations_push(&s->sites, p->destination->site, p);
}

static void
become_due(struct schedule *s, struct sched_delivery *p, int64_t now_ms)
{
	struct sched_domain *d = p->destination;

	s->waiting--;
	timers_set(&s->timers, &p->timer, p->expires_ms > now_ms ? p->expires_ms : now_ms);
	if (d->state == SCHED_DOMAIN_KNOWN) {
		join_destination(s, p);
		return;
	}
	sched_domains_push(&s->destinations, p);
	if (d->state == SCHED_DOMAIN_UNKNOWN || d->state == SCHED_DOMAIN_REFUSED)
		sched_domains_list(&s->destinations, d);
}

static void
wait_until_due(struct schedule *s, struct sched_delivery *p, int64_t now_ms)
{
	p->state = DELIVERY_WAITING;
	s->waiting++;
	if (p->due_ms <= now_ms)
		become_due(s, p, now_ms);
	else
		timers_set(&s->timers, &p->timer, p->due_ms);
}

void
schedule_add(struct schedule *s, struct sched_delivery *p, struct str domain, int64_t now_ms)
{
	p->timer.kind = TIMER_DELIVERY;
	if (!p->since_ms)
		p->since_ms = now_ms;
	p->destination = sched_domains_get(&s->destinations, domain);
	p->destination->references++;
	wait_until_due(s, p, now_ms);
}

static void
leave_schedule_state(struct schedule *s, struct sched_delivery *p)
{
	timers_remove(&s->timers, &p->timer);
	switch ((enum sched_delivery_state)p->state) {
	case DELIVERY_WAITING:
		s->waiting--;
		break;
	case DELIVERY_ASKING:
		sched_domains_pull(&s->destinations, p);
		break;
	case DELIVERY_READY:
		sched_destinations_pull(&s->sites, p);
		break;
	case DELIVERY_RUNNING:
		sched_destinations_end(&s->sites, p);
		break;
	case DELIVERY_IDLE:
		break;
	}
	p->state = DELIVERY_IDLE;
}

void
schedule_remove(struct schedule *s, struct sched_delivery *p)
{
	struct sched_domain *d = p->destination;

	if (p->state == DELIVERY_IDLE)
		return;
	leave_schedule_state(s, p);
	p->destination = NULL;
	d->references--;
	sched_domains_free_if_unused(&s->destinations, d);
}

void
schedule_expiry_changed(struct schedule *s, struct sched_delivery *p, int64_t now_ms)
{
	bool is_waiting = p->state == DELIVERY_WAITING;

	if (!schedule_may_retry_now(p))
		return;
	if (is_waiting)
		p->due_ms = lifetime_due_ms(p->expires_ms, p->due_ms, now_ms);
	timers_set(&s->timers, &p->timer, is_waiting ? p->due_ms : p->expires_ms);
}

bool
schedule_may_retry_now(const struct sched_delivery *p)
{
	return p->state != DELIVERY_IDLE && p->state != DELIVERY_RUNNING;
}

void
schedule_retry_now(struct schedule *s, struct sched_delivery *p, int64_t now_ms)
{
	struct sched_domain *d = p->destination;

	if (!schedule_may_retry_now(p))
		return;
	if (d->state == SCHED_DOMAIN_DELAYED || d->state == SCHED_DOMAIN_REFUSED) {
		sched_domains_forget_answer(&s->destinations, d);
		sched_domains_list(&s->destinations, d);
	}
	p->due_ms = now_ms;
	if (p->state == DELIVERY_WAITING) {
		s->waiting--;
		wait_until_due(s, p, now_ms);
	}
	if (p->site && sched_destinations_is_paused(p->site))
		sched_destinations_retry_now(&s->sites, p);
}

/* ---- answers ---- */

static void
move_to_destination(struct schedule *s, struct sched_domain *d)
{
	while (d->first) {
		struct sched_delivery *p = d->first;

		sched_domains_pull(&s->destinations, p);
		join_destination(s, p);
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
answered_failure(struct schedule *s, struct sched_domain *d, const struct smtp_status *status,
    int64_t ttl, int64_t now_ms)
{
	if (!d->status)
		d->status = MEM_NEW(struct smtp_status);
	*d->status = *status;
	d->failures++;
	d->found_ms = now_ms;
	if (smtp_status_is_permanent(status)) {
		d->state = SCHED_DOMAIN_REFUSED;
	} else {
		sched_domains_delay(&s->destinations, d);
		ttl = pause_ms(s, d->failures);
	}
	timers_set(&s->timers, &d->timer, now_ms + ttl);
	sched_domains_list(&s->destinations, d);
}

void
schedule_answered(
    struct schedule *s, struct str domain, const struct schedule_answer *answer, int64_t now_ms)
{
	struct sched_domain *d = map_get(s->destinations.by_name, domain);
	int64_t ttl = ttl_ms(answer->ttl_s);

	if (!d)
		return;
	sched_domains_forget_answer(&s->destinations, d);
	if (answer->site.n == 0) {
		answered_failure(s, d, answer->status, ttl, now_ms);
		return;
	}
	mem_free(d->status);
	d->status = NULL;
	d->failures = 0;
	d->state = SCHED_DOMAIN_KNOWN;
	d->site = sched_destinations_ref(&s->sites, answer->site);
	timers_set(&s->timers, &d->timer, now_ms + ttl);
	move_to_destination(s, d);
}

static void
destination_unreachable(struct schedule *s, struct sched_destination *site,
    const struct smtp_status *status, int64_t now_ms)
{
	site->found_ms = now_ms;
	if (!sched_destinations_is_paused(site))
		sched_destinations_pause(
		    &s->sites, site, status, now_ms + pause_ms(s, site->failures + 1));
}

void
schedule_finished(struct schedule *s, struct sched_delivery *p, enum schedule_outcome outcome,
    const struct smtp_status *status, int64_t now_ms)
{
	struct sched_destination *site = p->site;

	switch (outcome) {
	case SCHEDULE_REACHED:
		sched_destinations_answered(&s->sites, site);
		break;
	case SCHEDULE_UNREACHABLE:
		destination_unreachable(s, site, status, now_ms);
		break;
	case SCHEDULE_BUSY:
		if (site->failures)
			destination_unreachable(s, site, status, now_ms);
		else
			sched_destinations_back_off(&s->sites, site);
		break;
	case SCHEDULE_SILENT:
		sched_destinations_back_off(&s->sites, site);
		break;
	case SCHEDULE_UNKNOWN:
		break;
	}
	schedule_remove(s, p);
}

void
schedule_running(struct schedule *s, struct sched_delivery *p, struct str domain, struct str site)
{
	struct sched_destination *at = sched_destinations_ref(&s->sites, site);

	p->timer.kind = TIMER_DELIVERY;
	p->destination = sched_domains_get(&s->destinations, domain);
	p->destination->references++;
	p->state = DELIVERY_RUNNING;
	sched_destinations_begin(&s->sites, at, p);
	sched_destinations_unref(&s->sites, &at);
}

void
schedule_relay_lost(struct schedule *s)
{
	sched_domains_ask_again(&s->destinations);
}

/* ---- steps ---- */

static void
fill_schedule_step(struct schedule_step *out, enum schedule_act act, struct sched_delivery *p,
    const struct sched_domain *d)
{
	*out = (struct schedule_step){.act = act, .parcel = p, .domain = d->name};
	out->status = d->status;
}

/* Hands the parcel back for good.  Its domain is listed, so that its name is still valid for the
 * caller and it is looked at again if nothing else needs it. */
static void
return_delivery(
    struct schedule *s, struct sched_delivery *p, enum schedule_act act, struct schedule_step *out)
{
	fill_schedule_step(out, act, p, p->destination);
	out->found_ms = p->destination->found_ms;
	if (p->site) {
		out->site = p->site->name;
		out->status = p->site->status;
		out->found_ms = p->site->found_ms;
	}
	p->destination->references--;
	sched_domains_list(&s->destinations, p->destination);
	leave_schedule_state(s, p);
	p->destination = NULL;
}

static bool
finding_counts(const struct sched_delivery *p, int64_t found_ms, int64_t now_ms)
{
	return lifetime_finding_counts(p->expires_ms, p->since_ms, found_ms, now_ms);
}

/* However old it is, its site is tried before it is given up.  True: it must be given up. */
static bool
delivery_timer_fired(struct schedule *s, struct sched_delivery *p, int64_t now_ms)
{
	if (p->state == DELIVERY_WAITING) {
		become_due(s, p, now_ms);
		return false;
	}
	if (!lifetime_is_over(p->expires_ms, false, now_ms)) { /* it was given more time */
		timers_set(&s->timers, &p->timer, p->expires_ms);
		return false;
	}
	timers_set(&s->timers, &p->timer, now_ms + EXPIRY_GRACE_MS);
	if (p->state == DELIVERY_READY && sched_destinations_is_paused(p->site)) {
		if (finding_counts(p, p->site->found_ms, now_ms))
			return true;
		sched_destinations_retry_now(&s->sites, p);
	} else if (p->state == DELIVERY_ASKING && p->destination->state == SCHED_DOMAIN_DELAYED) {
		if (finding_counts(p, p->destination->found_ms, now_ms))
			return true;
		sched_domains_ask(&s->destinations, p->destination);
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
		case TIMER_DESTINATION:
			sched_destinations_resume(&s->sites, (struct sched_destination *)t);
			break;
		case TIMER_DOMAIN:
			sched_domains_ask(&s->destinations, (struct sched_domain *)t);
			break;
		case TIMER_DELIVERY:
			if (!delivery_timer_fired(s, (struct sched_delivery *)t, now_ms))
				break;
			return_delivery(s, (struct sched_delivery *)t, SCHEDULE_EXPIRE, out);
			return true;
		}
	}
	return false;
}

/* One thing to say about the first domain in todo; when there is nothing more, it leaves the list.
 */
static bool
domain_step(struct schedule *s, struct sched_domain *d, struct schedule_step *out)
{
	if (d->first && d->state == SCHED_DOMAIN_REFUSED) {
		return_delivery(s, d->first, SCHEDULE_REFUSE, out);
		return true;
	}
	if (d->first && d->state == SCHED_DOMAIN_DELAYED && d->has_news) {
		d->has_news = false;
		return_delivery(s, d->first, SCHEDULE_DEFER, out);
		return true;
	}
	sched_domains_unlist_first(&s->destinations);
	if (d->first && d->state == SCHED_DOMAIN_UNKNOWN)
		sched_domains_look_up(&s->destinations, d);
	sched_domains_free_if_unused(&s->destinations, d);
	return false;
}

void
schedule_next(struct schedule *s, int64_t now_ms, struct schedule_step *out)
{
	struct sched_domain *d;
	struct sched_delivery *p;

	*out = (struct schedule_step){.act = SCHEDULE_NOTHING};
	if (time_step(s, now_ms, out))
		return;
	while (s->destinations.todo)
		if (domain_step(s, s->destinations.todo, out))
			return;
	if ((d = sched_domains_next_lookup(&s->destinations)))
		fill_schedule_step(out, SCHEDULE_RESOLVE, NULL, d);
	if (d || !(p = sched_destinations_take(&s->sites)))
		return;
	timers_remove(&s->timers, &p->timer);
	p->state = DELIVERY_RUNNING;
	fill_schedule_step(out, SCHEDULE_DELIVER, p, p->destination);
	out->site = p->site->name;
}

int64_t
schedule_wake_ms(const struct schedule *s)
{
	const struct timer *first = timers_first(&s->timers);

	if (s->destinations.todo || sched_lookups_may_take(&s->destinations.lookups) ||
	    sched_destinations_may_take(&s->sites))
		return 0;
	return first ? first->at_ms : INT64_MAX;
}

/* ---- questions ---- */

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

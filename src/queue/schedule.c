/*
 * schedule: parcels and the domains they are for.  A parcel has one timer: its due time while it waits,
 * afterwards the time at which it is given up.  What must be told to the owner stands in `todo`, a list
 * of domains, and comes out one step at a time.
 */
#include "queue/schedule.h"

#include "base/map.h"
#include "base/mem.h"
#include "queue/sites.h"

enum timer_kind { TIMER_PARCEL, TIMER_SITE, TIMER_DESTINATION };
enum { TTL_MIN_S = 10, TTL_MAX_S = 3600, EXPIRY_GRACE_MS = 60 * 1000 };

enum destination_state {
	DESTINATION_UNKNOWN,
	DESTINATION_ASKED,
	DESTINATION_KNOWN,
	DESTINATION_DELAYED, /* a temporary failure: asked again when its timer ends */
	DESTINATION_REFUSED,
};

struct destination {
	struct timer timer;
	struct str name;
	struct site *site;      /* KNOWN */
	struct status *status;  /* DELAYED, REFUSED */
	struct parcel *first, *last; /* ASKING */
	struct destination *next;    /* in todo */
	uint32_t references;    /* parcels that are not IDLE */
	uint32_t failures;      /* in a row */
	uint8_t state;
	bool is_listed;
	bool has_news;          /* DELAYED: one parcel has not been told yet */
};

struct schedule {
	struct schedule_limits limits;
	struct timers timers;
	struct sites sites;
	struct map *destinations;
	struct destination *todo, *todo_last;
	size_t waiting, asking;
};

struct schedule *
schedule_new(const struct schedule_limits *limits)
{
	struct schedule *s = MEM_NEW(struct schedule);

	timers_init(&s->timers);
	sites_init(&s->sites, &s->timers, TIMER_SITE);
	s->destinations = map_new();
	schedule_configure(s, limits);
	return s;
}

static void
free_destination(struct str key, void *value, void *arg)
{
	struct destination *d = value;

	(void)key;
	(void)arg;
	mem_free((char *)d->name.p);
	mem_free(d->status);
	mem_free(d);
}

void
schedule_free(struct schedule **s)
{
	if (!*s)
		return;
	map_each((*s)->destinations, free_destination, NULL);
	map_free(&(*s)->destinations);
	sites_clear(&(*s)->sites);
	timers_clear(&(*s)->timers);
	mem_free(*s);
	*s = NULL;
}

void
schedule_configure(struct schedule *s, const struct schedule_limits *limits)
{
	s->limits = *limits;
	sites_configure(&s->sites, limits->site_concurrency);
}

int64_t
schedule_backoff_ms(const struct schedule *s, unsigned tries)
{
	size_t last = s->limits.retry_count - 1;

	return s->limits.retry_ms[tries > last ? last : tries ? tries - 1 : 0];
}

static int64_t
pause_ms(const struct schedule *s, unsigned failures)
{
	int64_t ms = schedule_backoff_ms(s, failures);

	return ms < SCHEDULE_PAUSE_MAX_MS ? ms : SCHEDULE_PAUSE_MAX_MS;
}

/* ---- domains ---- */

static void
list(struct schedule *s, struct destination *d)
{
	if (d->is_listed)
		return;
	d->is_listed = true;
	d->next = NULL;
	if (s->todo)
		s->todo_last->next = d;
	else
		s->todo = d;
	s->todo_last = d;
}

static void
unlist_first(struct schedule *s)
{
	struct destination *d = s->todo;

	s->todo = d->next;
	d->is_listed = false;
}

static struct destination *
destination_of(struct schedule *s, struct str domain)
{
	struct destination *d = map_get(s->destinations, domain);

	if (!d) {
		d = MEM_NEW(struct destination);
		d->timer.kind = TIMER_DESTINATION;
		d->name = str_make(mem_text(domain.p, domain.n), domain.n);
		map_put(s->destinations, d->name, d);
	}
	return d;
}

/* What is known of it is kept until its timer ends, used or not. */
static void
free_if_unused(struct schedule *s, struct destination *d)
{
	if (d->references || d->is_listed || d->state != DESTINATION_UNKNOWN)
		return;
	map_remove(s->destinations, d->name);
	free_destination(d->name, d, NULL);
}

static void
forget_answer(struct schedule *s, struct destination *d)
{
	timers_remove(&s->timers, &d->timer);
	sites_drop(&s->sites, &d->site);
	d->state = DESTINATION_UNKNOWN;
}

/* ---- parcels ---- */

static void
join_asking(struct schedule *s, struct parcel *p)
{
	struct destination *d = p->destination;

	p->state = PARCEL_ASKING;
	p->next = NULL;
	p->previous = d->last;
	if (d->last)
		d->last->next = p;
	else
		d->first = p;
	d->last = p;
	s->asking++;
}

static void
leave_asking(struct schedule *s, struct parcel *p)
{
	struct destination *d = p->destination;

	if (p->previous)
		p->previous->next = p->next;
	else
		d->first = p->next;
	if (p->next)
		p->next->previous = p->previous;
	else
		d->last = p->previous;
	p->next = p->previous = NULL;
	s->asking--;
}

static void
join_site(struct schedule *s, struct parcel *p)
{
	p->state = PARCEL_READY;
	sites_push(&s->sites, p->destination->site, p);
}

/* However old it is, it gets a chance to be tried before it is given up. */
static void
become_due(struct schedule *s, struct parcel *p, int64_t now_ms)
{
	int64_t last_ms = now_ms + EXPIRY_GRACE_MS;
	struct destination *d = p->destination;

	s->waiting--;
	timers_set(&s->timers, &p->timer, p->expires_ms > last_ms ? p->expires_ms : last_ms);
	if (d->state == DESTINATION_KNOWN) {
		join_site(s, p);
		return;
	}
	join_asking(s, p);
	if (d->state == DESTINATION_UNKNOWN || d->state == DESTINATION_REFUSED)
		list(s, d);
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
	p->destination = destination_of(s, domain);
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
		leave_asking(s, p);
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
	free_if_unused(s, d);
}

void
schedule_hurry(struct schedule *s, struct parcel *p, int64_t now_ms)
{
	struct destination *d = p->destination;

	if (p->state == PARCEL_IDLE || p->state == PARCEL_RUNNING)
		return;
	if (d->state == DESTINATION_DELAYED || d->state == DESTINATION_REFUSED) {
		forget_answer(s, d);
		list(s, d);
	}
	p->due_ms = now_ms;
	if (p->state == PARCEL_WAITING) {
		s->waiting--;
		wait(s, p, now_ms);
	}
	if (p->site)
		sites_wake(&s->sites, p->site);
}

/* ---- answers ---- */

static void
send_on(struct schedule *s, struct destination *d)
{
	while (d->first) {
		struct parcel *p = d->first;

		leave_asking(s, p);
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
answered_failure(struct schedule *s, struct destination *d, const struct status *status, int64_t ttl,
    int64_t now_ms)
{
	if (!d->status)
		d->status = MEM_NEW(struct status);
	*d->status = *status;
	d->failures++;
	if (status_is_permanent(status)) {
		d->state = DESTINATION_REFUSED;
	} else {
		d->state = DESTINATION_DELAYED;
		d->has_news = true;
		ttl = pause_ms(s, d->failures);
	}
	timers_set(&s->timers, &d->timer, now_ms + ttl);
	list(s, d);
}

void
schedule_answered(struct schedule *s, struct str domain, struct str site, const struct status *status,
    uint32_t ttl_s, int64_t now_ms)
{
	struct destination *d = map_get(s->destinations, domain);
	int64_t ttl = ttl_ms(ttl_s);

	if (!d)
		return;
	forget_answer(s, d);
	if (site.n == 0) {
		answered_failure(s, d, status, ttl, now_ms);
		return;
	}
	mem_free(d->status);
	d->status = NULL;
	d->failures = 0;
	d->state = DESTINATION_KNOWN;
	d->site = sites_keep(&s->sites, site);
	timers_set(&s->timers, &d->timer, now_ms + ttl);
	send_on(s, d);
}

void
schedule_finished(struct schedule *s, struct parcel *p, enum schedule_outcome outcome,
    const struct status *status, int64_t now_ms)
{
	struct site *site = p->site;

	if (outcome == SCHEDULE_REACHED)
		sites_answers(&s->sites, site);
	else if (outcome == SCHEDULE_AWAY && !sites_is_paused(site))
		sites_pause(&s->sites, site, status, now_ms + pause_ms(s, site->failures + 1));
	schedule_remove(s, p);
}

void
schedule_running(struct schedule *s, struct parcel *p, struct str domain, struct str site)
{
	struct site *at = sites_keep(&s->sites, site);

	p->timer.kind = TIMER_PARCEL;
	p->destination = destination_of(s, domain);
	p->destination->references++;
	p->state = PARCEL_RUNNING;
	sites_begin(&s->sites, at, p);
	sites_drop(&s->sites, &at);
}

static void
ask_again(struct str key, void *value, void *arg)
{
	struct destination *d = value;
	struct schedule *s = arg;

	(void)key;
	if (d->state != DESTINATION_ASKED)
		return;
	d->state = DESTINATION_UNKNOWN;
	if (d->first)
		list(s, d);
	else
		free_if_unused(s, d);
}

void
schedule_relay_lost(struct schedule *s)
{
	map_each(s->destinations, ask_again, s);
}

/* ---- steps ---- */

static void
step(struct schedule_step *out, enum schedule_act act, struct parcel *p, const struct destination *d)
{
	*out = (struct schedule_step){.act = act, .parcel = p, .domain = d->name};
	out->status = d->status;
}

/* Hands the parcel back for good.  Its domain is listed, so that its name is still valid for the caller and
 * it is looked at again if nothing else needs it. */
static void
hand_back(struct schedule *s, struct parcel *p, enum schedule_act act, struct schedule_step *out)
{
	const struct status *status = p->site ? p->site->status : p->destination->status;

	step(out, act, p, p->destination);
	if (p->site)
		out->site = p->site->name;
	out->status = status;
	p->destination->references--;
	list(s, p->destination);
	leave(s, p);
	p->destination = NULL;
}

static void
destination_time(struct schedule *s, struct destination *d)
{
	forget_answer(s, d);
	if (d->first)
		list(s, d);
	else
		free_if_unused(s, d);
}

/* True: it must be given up. */
static bool
parcel_time(struct schedule *s, struct parcel *p, int64_t now_ms)
{
	if (p->state == PARCEL_WAITING) {
		become_due(s, p, now_ms);
		return false;
	}
	if (p->state == PARCEL_READY ? sites_is_paused(p->site)
	                             : p->destination->state == DESTINATION_DELAYED)
		return true;
	timers_set(&s->timers, &p->timer, now_ms + EXPIRY_GRACE_MS);
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
			destination_time(s, (struct destination *)t);
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

/* One thing to say about the first domain in todo; when there is nothing more, it leaves the list. */
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
	unlist_first(s);
	if (d->first && d->state == DESTINATION_UNKNOWN) {
		d->state = DESTINATION_ASKED;
		step(out, SCHEDULE_ASK, NULL, d);
		return true;
	}
	free_if_unused(s, d);
	return false;
}

void
schedule_next(struct schedule *s, int64_t now_ms, struct schedule_step *out)
{
	struct parcel *p;

	*out = (struct schedule_step){.act = SCHEDULE_NOTHING};
	if (time_step(s, now_ms, out))
		return;
	while (s->todo)
		if (destination_step(s, s->todo, out))
			return;
	if (s->sites.running >= s->limits.concurrency || !(p = sites_take(&s->sites)))
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

	if (s->todo || (s->sites.ring && s->sites.running < s->limits.concurrency))
		return 0;
	return first ? first->at_ms : INT64_MAX;
}

/* ---- questions ---- */

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
		out->next_ms = d->timer.at_ms;
		out->status = d->status;
	} else if (p->state == PARCEL_READY && sites_is_paused(site)) {
		out->next_ms = site->timer.at_ms;
		out->status = site->status;
	}
}

void
schedule_count(const struct schedule *s, struct schedule_totals *out)
{
	*out = (struct schedule_totals){.waiting = s->waiting, .asking = s->asking};
	out->ready = s->sites.ready;
	out->running = s->sites.running;
	out->sites = map_count(s->sites.by_name);
	out->destinations = map_count(s->destinations);
}

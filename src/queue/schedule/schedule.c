/*
 * schedule: deliveries and their next hops.  A delivery has one timer: its due time while it waits,
 * then its expiry, at which the pause of its destination or next hop ends for it, and then the time
 * at which it is given up.  Steps for the owner are found by `todo`, a list of next hops, and
 * returned one at a time.
 */
#include "queue/schedule/schedule.h"

#include "base/map.h"
#include "base/mem.h"
#include "queue/lifetime.h"
#include "queue/schedule/destinations.h"
#include "queue/schedule/next_hops.h"
#include "queue/schedule/user_queues.h"

enum timer_kind { TIMER_DELIVERY, TIMER_DESTINATION, TIMER_NEXT_HOP };
enum {
	TTL_MIN_S = 10,
	TTL_MAX_S = 3600,
	EXPIRY_GRACE_MS = 60 * 1000,
};

struct schedule {
	struct schedule_limits limits;
	struct timers timers;
	struct sched_destinations destinations;
	struct sched_next_hops next_hops;
	size_t waiting;
};

struct schedule *
schedule_new(const struct schedule_limits *limits)
{
	struct schedule *s = MEM_NEW(struct schedule);

	timers_init(&s->timers);
	sched_destinations_init(&s->destinations, &s->timers, TIMER_DESTINATION);
	sched_next_hops_init(&s->next_hops, &s->timers, &s->destinations, TIMER_NEXT_HOP);
	schedule_configure(s, limits);
	return s;
}

void
schedule_free(struct schedule **s)
{
	if (!*s)
		return;
	sched_next_hops_clear(&(*s)->next_hops);
	sched_destinations_clear(&(*s)->destinations);
	timers_clear(&(*s)->timers);
	mem_free(*s);
	*s = NULL;
}

void
schedule_configure(struct schedule *s, const struct schedule_limits *limits)
{
	s->limits = *limits;
	sched_destinations_configure(
	    &s->destinations, limits->concurrency, limits->destination_concurrency);
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

/* ---- deliveries ---- */

static void
join_destination(struct schedule *s, struct sched_delivery *p)
{
	sched_destinations_push(&s->destinations, p->next_hop->destination, p);
	p->state = DELIVERY_READY;
}

static void
become_due(struct schedule *s, struct sched_delivery *p, int64_t now_ms)
{
	struct sched_next_hop *d = p->next_hop;

	s->waiting--;
	timers_set(&s->timers, &p->timer, p->expires_ms > now_ms ? p->expires_ms : now_ms);
	if (d->state == SCHED_NEXT_HOP_KNOWN) {
		join_destination(s, p);
		return;
	}
	sched_next_hops_push(&s->next_hops, p);
	if (d->state == SCHED_NEXT_HOP_UNKNOWN || d->state == SCHED_NEXT_HOP_REFUSED)
		sched_next_hops_list(&s->next_hops, d);
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
schedule_add(struct schedule *s, struct sched_delivery *p, struct str next_hop, int64_t now_ms)
{
	p->timer.kind = TIMER_DELIVERY;
	if (!p->since_ms)
		p->since_ms = (uint64_t)now_ms & (((uint64_t)1 << SCHED_TIME_BITS) - 1);
	p->next_hop = sched_next_hops_get(&s->next_hops, next_hop);
	p->next_hop->references++;
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
		sched_next_hops_pull(&s->next_hops, p);
		break;
	case DELIVERY_READY:
		sched_destinations_pull(&s->destinations, p);
		break;
	case DELIVERY_RUNNING:
		sched_destinations_end(&s->destinations, p);
		break;
	case DELIVERY_IDLE:
		break;
	}
	p->state = DELIVERY_IDLE;
}

void
schedule_remove(struct schedule *s, struct sched_delivery *p)
{
	struct sched_next_hop *d = p->next_hop;

	if (p->state == DELIVERY_IDLE)
		return;
	leave_schedule_state(s, p);
	p->next_hop = NULL;
	d->references--;
	sched_next_hops_free_if_unused(&s->next_hops, d);
}

bool
schedule_is_to(const struct sched_delivery *p, struct str next_hop)
{
	return str_eq(p->next_hop->name, next_hop);
}

void
schedule_redirect(struct schedule *s, struct sched_delivery *p, struct str next_hop, int64_t now_ms)
{
	if (!schedule_may_retry_now(p) || schedule_is_to(p, next_hop))
		return;
	schedule_remove(s, p);
	schedule_add(s, p, next_hop, now_ms);
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
	struct sched_next_hop *d = p->next_hop;

	if (!schedule_may_retry_now(p))
		return;
	if (d->state == SCHED_NEXT_HOP_DELAYED || d->state == SCHED_NEXT_HOP_REFUSED) {
		sched_next_hops_forget_answer(&s->next_hops, d);
		sched_next_hops_list(&s->next_hops, d);
	}
	p->due_ms = now_ms;
	if (p->state == DELIVERY_WAITING) {
		s->waiting--;
		wait_until_due(s, p, now_ms);
	}
	if (p->state == DELIVERY_READY &&
	    sched_destinations_is_paused(sched_delivery_destination(p)))
		sched_destinations_retry_now(&s->destinations, p);
}

/* ---- answers ---- */

static void
move_to_destination(struct schedule *s, struct sched_next_hop *d)
{
	while (d->first) {
		struct sched_delivery *p = d->first;

		sched_next_hops_pull(&s->next_hops, p);
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
answered_failure(struct schedule *s, struct sched_next_hop *d, const struct smtp_status *status,
    int64_t ttl, int64_t now_ms)
{
	if (!d->status)
		d->status = MEM_NEW(struct smtp_status);
	*d->status = *status;
	d->failures++;
	d->found_ms = now_ms;
	if (smtp_status_is_permanent(status)) {
		d->state = SCHED_NEXT_HOP_REFUSED;
	} else {
		sched_next_hops_delay(&s->next_hops, d);
		ttl = pause_ms(s, d->failures);
	}
	timers_set(&s->timers, &d->timer, now_ms + ttl);
	sched_next_hops_list(&s->next_hops, d);
}

void
schedule_answered(
    struct schedule *s, struct str next_hop, const struct schedule_answer *answer, int64_t now_ms)
{
	struct sched_next_hop *d = map_get(s->next_hops.by_name, next_hop);
	int64_t ttl = ttl_ms(answer->ttl_s);

	if (!d)
		return;
	sched_next_hops_forget_answer(&s->next_hops, d);
	if (answer->destination.n == 0) {
		answered_failure(s, d, answer->status, ttl, now_ms);
		return;
	}
	mem_free(d->status);
	d->status = NULL;
	d->failures = 0;
	d->state = SCHED_NEXT_HOP_KNOWN;
	d->destination = sched_destinations_ref(&s->destinations, answer->destination);
	timers_set(&s->timers, &d->timer, now_ms + ttl);
	move_to_destination(s, d);
}

static void
destination_unreachable(struct schedule *s, struct sched_destination *destination,
    const struct smtp_status *status, int64_t now_ms)
{
	destination->found_ms = now_ms;
	if (!sched_destinations_is_paused(destination))
		sched_destinations_pause(&s->destinations, destination, status,
		    now_ms + pause_ms(s, destination->failures + 1));
}

void
schedule_finished(struct schedule *s, struct sched_delivery *p, enum schedule_outcome outcome,
    const struct smtp_status *status, int64_t now_ms)
{
	struct sched_destination *destination = sched_delivery_destination(p);

	switch (outcome) {
	case SCHEDULE_REACHED:
		sched_destinations_answered(&s->destinations, destination);
		break;
	case SCHEDULE_UNREACHABLE:
		destination_unreachable(s, destination, status, now_ms);
		break;
	case SCHEDULE_BUSY:
		if (destination->failures)
			destination_unreachable(s, destination, status, now_ms);
		else
			sched_destinations_back_off(&s->destinations, destination);
		break;
	case SCHEDULE_SILENT:
		sched_destinations_back_off(&s->destinations, destination);
		break;
	case SCHEDULE_UNKNOWN:
		break;
	}
	schedule_remove(s, p);
}

void
schedule_running(
    struct schedule *s, struct sched_delivery *p, struct str next_hop, struct str destination)
{
	struct sched_destination *at = sched_destinations_ref(&s->destinations, destination);

	p->timer.kind = TIMER_DELIVERY;
	p->next_hop = sched_next_hops_get(&s->next_hops, next_hop);
	p->next_hop->references++;
	p->state = DELIVERY_RUNNING;
	sched_destinations_begin(&s->destinations, at, p);
	sched_destinations_unref(&s->destinations, &at);
}

void
schedule_relay_lost(struct schedule *s)
{
	sched_next_hops_ask_again(&s->next_hops);
}

/* ---- steps ---- */

static void
fill_schedule_step(struct schedule_step *out, enum schedule_act act, struct sched_delivery *p,
    const struct sched_next_hop *d)
{
	*out = (struct schedule_step){.act = act, .delivery = p, .next_hop = d->name};
	out->status = d->status;
}

/* Returns the delivery to its owner for good.  Its next hop is listed, so that its name stays valid
 * for the caller and the next hop is freed later if nothing else needs it. */
static void
return_delivery(
    struct schedule *s, struct sched_delivery *p, enum schedule_act act, struct schedule_step *out)
{
	const struct sched_destination *destination = sched_delivery_destination(p);

	fill_schedule_step(out, act, p, p->next_hop);
	out->found_ms = p->next_hop->found_ms;
	if (destination) {
		out->destination = destination->name;
		out->status = destination->status;
		out->found_ms = destination->found_ms;
	}
	p->next_hop->references--;
	sched_next_hops_list(&s->next_hops, p->next_hop);
	leave_schedule_state(s, p);
	p->next_hop = NULL;
}

static bool
finding_counts(const struct sched_delivery *p, int64_t found_ms, int64_t now_ms)
{
	return lifetime_finding_counts(p->expires_ms, (int64_t)p->since_ms, found_ms, now_ms);
}

/* However old a delivery is, its destination is tried before it is given up.  True: give it up now.
 */
static bool
delivery_timer_fired(struct schedule *s, struct sched_delivery *p, int64_t now_ms)
{
	if (p->state == DELIVERY_WAITING) {
		become_due(s, p, now_ms);
		return false;
	}
	if (!lifetime_is_over(p->expires_ms, false, now_ms)) { /* its lifetime was made longer */
		timers_set(&s->timers, &p->timer, p->expires_ms);
		return false;
	}
	timers_set(&s->timers, &p->timer, now_ms + EXPIRY_GRACE_MS);
	if (p->state == DELIVERY_READY &&
	    sched_destinations_is_paused(sched_delivery_destination(p))) {
		if (finding_counts(p, sched_delivery_destination(p)->found_ms, now_ms))
			return true;
		sched_destinations_retry_now(&s->destinations, p);
	} else if (p->state == DELIVERY_ASKING && p->next_hop->state == SCHED_NEXT_HOP_DELAYED) {
		if (finding_counts(p, p->next_hop->found_ms, now_ms))
			return true;
		sched_next_hops_ask(&s->next_hops, p->next_hop);
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
			sched_destinations_resume(&s->destinations, (struct sched_destination *)t);
			break;
		case TIMER_NEXT_HOP:
			sched_next_hops_ask(&s->next_hops, (struct sched_next_hop *)t);
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

/* One step for the first next hop in todo; without one, it leaves the list. */
static bool
next_hop_step(struct schedule *s, struct sched_next_hop *d, struct schedule_step *out)
{
	if (d->first && d->state == SCHED_NEXT_HOP_REFUSED) {
		return_delivery(s, d->first, SCHEDULE_REFUSE, out);
		return true;
	}
	if (d->first && d->state == SCHED_NEXT_HOP_DELAYED && d->is_failure_unreported) {
		d->is_failure_unreported = false;
		return_delivery(s, d->first, SCHEDULE_DEFER, out);
		return true;
	}
	sched_next_hops_unlist_first(&s->next_hops);
	if (d->first && d->state == SCHED_NEXT_HOP_UNKNOWN)
		sched_next_hops_look_up(&s->next_hops, d);
	sched_next_hops_free_if_unused(&s->next_hops, d);
	return false;
}

void
schedule_next(struct schedule *s, int64_t now_ms, struct schedule_step *out)
{
	struct sched_next_hop *d;
	struct sched_delivery *p;

	*out = (struct schedule_step){.act = SCHEDULE_NOTHING};
	if (time_step(s, now_ms, out))
		return;
	while (s->next_hops.todo)
		if (next_hop_step(s, s->next_hops.todo, out))
			return;
	if ((d = sched_next_hops_next_lookup(&s->next_hops)))
		fill_schedule_step(out, SCHEDULE_RESOLVE, NULL, d);
	if (d || !(p = sched_destinations_take(&s->destinations)))
		return;
	timers_remove(&s->timers, &p->timer);
	p->state = DELIVERY_RUNNING;
	fill_schedule_step(out, SCHEDULE_DELIVER, p, p->next_hop);
	out->destination = sched_delivery_destination(p)->name;
}

int64_t
schedule_wake_ms(const struct schedule *s)
{
	const struct timer *first = timers_first(&s->timers);

	if (s->next_hops.todo || sched_lookups_may_take(&s->next_hops.lookups) ||
	    sched_destinations_may_take(&s->destinations))
		return 0;
	return first ? first->at_ms : INT64_MAX;
}

/* ---- counts ---- */

void
schedule_count(const struct schedule *s, struct schedule_totals *out)
{
	*out = (struct schedule_totals){.waiting = s->waiting, .asking = s->next_hops.asking};
	out->ready = s->destinations.ready;
	out->running = s->destinations.running;
	out->delayed = s->next_hops.delayed + s->destinations.ready_paused;
	out->running_unproven = s->destinations.running_unproven;
	out->destinations = map_count(s->destinations.by_name);
	out->next_hops = map_count(s->next_hops.by_name);
}

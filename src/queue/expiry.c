/*
 * expiry: see the header.
 */
#include "queue/expiry.h"

#include "base/clock.h"
#include "queue/lifetime.h"
#include "queue/outcomes.h"

enum { AT_ONCE = 100, AGAIN_MS = 60000, HELD_MS = 3600 * 1000, PART = 10 };

static struct queued_message *
expiry_message_of(struct timer *t)
{
	return (
	    struct queued_message *)(void *)((char *)t - offsetof(struct queued_message, expiry));
}

static void
expiry_arm(struct queue *q)
{
	struct timer *first = timers_first(&q->expiries);
	int64_t ms = first ? first->at_ms - clock_ms() : 0;
	struct timeval tv = {0};

	if (!first)
		return;
	ms = ms > 0 ? ms : 0;
	ms = ms < HELD_MS ? ms : HELD_MS; /* the clock may be set */
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	evtimer_add(q->expiry_event, &tv);
}

/* ---- one message ---- */

static bool
expiry_is_now(const struct queue *q, const struct delivery *delivery, int64_t now_ms)
{
	const struct sched_delivery *p = &delivery->sched;
	int64_t mono_ms = clock_mono_ms();
	struct lifetime_wait w = {.expires_ms = p->expires_ms,
	    .due_ms = p->due_ms,
	    .lifetime_ms = q->role->conf->queue.lifetime_ms,
	    .relay_ready_ms = q->is_caught_up ? mono_ms - q->caught_up_ms : -1,
	    .relay_absent_ms = mono_ms - q->relay_absent_since_ms,
	    .is_held = delivery->message->is_held,
	    .is_held_by_operator = queued_message_is_operator_held(delivery->message),
	    .is_unreadable = delivery->unreadable > 0,
	    .is_in_line = p->state == DELIVERY_ASKING || p->state == DELIVERY_READY,
	    .is_running = delivery->attempt != NULL};

	return lifetime_ends_untried(&w, now_ms);
}

static struct smtp_status
expiry_status(const struct queue *q, const struct delivery *delivery)
{
	if (delivery->message->is_damaged)
		return smtp_status_make(451, "4.3.0", "The stored message was damaged");
	if (delivery->unreadable)
		return smtp_status_make(
		    451, "4.3.0", "The stored message could not be read in time");
	if (!q->is_caught_up)
		return smtp_status_make(
		    451, "4.3.2", "This system could not try to deliver the message in time");
	return smtp_status_make(451, "4.4.7", "No delivery attempt ended in time");
}

/* A delivery that ends now.  NULL: none does, or the message is removed. */
static struct delivery *
expiry_next(struct queue *q, struct msgid id, int64_t now_ms)
{
	struct queued_message *e = queued_find(&q->queued, id);

	for (size_t i = 0; e && i < e->delivery_count; i++)
		if (e->deliveries[i].open && expiry_is_now(q, &e->deliveries[i], now_ms))
			return &e->deliveries[i];
	return NULL;
}

static bool
expiry_has_open(const struct queued_message *e)
{
	for (size_t i = 0; i < e->delivery_count; i++)
		if (e->deliveries[i].open)
			return true;
	return false;
}

/* Deliveries that are still open are checked again soon, at most once in a minute. */
static void
expiry_again(struct queue *q, struct queued_message *e, int64_t now_ms)
{
	int64_t lifetime_ms = q->role->conf->queue.lifetime_ms;
	int64_t after_ms = lifetime_bounded_ms(lifetime_ms, (int64_t)AGAIN_MS * PART) / PART;

	if (queued_message_is_operator_held(e))
		after_ms = lifetime_bounded_ms(lifetime_ms, HELD_MS);
	timers_set(&q->expiries, &e->expiry, now_ms + after_ms);
}

static void
expiry_end(struct queue *q, struct queued_message *e, int64_t now_ms)
{
	struct msgid id = e->id;
	size_t count = e->delivery_count;
	struct delivery *delivery;

	while (count-- > 0 && (delivery = expiry_next(q, id, now_ms))) {
		struct smtp_status status = expiry_status(q, delivery);

		schedule_remove(q->schedule, &delivery->sched);
		outcomes_expire(q, delivery, &status);
	}
	e = queued_find(&q->queued, id);
	if (e && expiry_has_open(e))
		expiry_again(q, e, now_ms);
}

static void
expiry_on_time(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	int64_t now_ms = clock_ms();
	struct timer *t;

	(void)fd;
	(void)what;
	for (int i = 0; i < AT_ONCE; i++) {
		t = timers_first(&q->expiries);
		if (!t || t->at_ms > now_ms)
			break;
		timers_remove(&q->expiries, t);
		expiry_end(q, expiry_message_of(t), now_ms);
	}
	expiry_arm(q);
}

/* ---- all of them ---- */

void
expiry_message_added(struct queue *q, struct queued_message *e)
{
	struct timer *first = timers_first(&q->expiries);
	int64_t before_ms = first ? first->at_ms : INT64_MAX;

	timers_set(&q->expiries, &e->expiry, e->expires_ms + LIFETIME_SLACK_MS);
	if (e->expiry.at_ms < before_ms)
		expiry_arm(q);
}

void
expiry_message_removed(struct queue *q, struct queued_message *e)
{
	timers_remove(&q->expiries, &e->expiry);
}

void
expiry_relay_lost(struct queue *q)
{
	q->relay_absent_since_ms = clock_mono_ms();
}

void
expiry_init(struct queue *q, struct event_base *base)
{
	timers_init(&q->expiries);
	q->relay_absent_since_ms = clock_mono_ms();
	q->expiry_event = evtimer_new(base, expiry_on_time, q);
}

void
expiry_clear(struct queue *q)
{
	timers_clear(&q->expiries);
	if (q->expiry_event)
		event_free(q->expiry_event);
	q->expiry_event = NULL;
}

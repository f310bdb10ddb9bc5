/*
 * expiry: a timer is only a moment to look: whether a delivery ends is asked of lifetime.h then,
 * because a hold, a reload or the clock may have moved its end. Each end may free the message,
 * which is therefore found by its id again. A turn handles a bounded number of messages.
 */
#include "queue/expiry.h"

#include "base/clock.h"
#include "queue/lifetime.h"
#include "queue/outcomes.h"

enum { AGAIN_MS = 60000, HELD_MS = 3600 * 1000, PART = 10 };

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
	    .is_held = delivery_message(delivery)->is_held,
	    .is_held_by_operator = queued_message_is_operator_held(delivery_message(delivery)),
	    .is_unreadable = delivery->unreadable > 0,
	    .is_in_line = p->state == DELIVERY_ASKING || p->state == DELIVERY_READY,
	    .is_running = delivery_attempt(delivery) != NULL};

	return lifetime_ends_untried(&w, now_ms);
}

static struct smtp_status
expiry_status(const struct queue *q, const struct delivery *delivery)
{
	if (delivery_message(delivery)->is_damaged)
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
static int64_t
expiry_again_ms(const struct queue *q, const struct queued_message *e, int64_t now_ms)
{
	int64_t lifetime_ms = q->role->conf->queue.lifetime_ms;

	if (queued_message_is_operator_held(e))
		return now_ms + lifetime_bounded_ms(lifetime_ms, HELD_MS);
	return now_ms + lifetime_bounded_ms(lifetime_ms, (int64_t)AGAIN_MS * PART) / PART;
}

int64_t
expiry_ms(const struct queued_message *e)
{
	return queued_message_expires_ms(e) + LIFETIME_SLACK_MS;
}

int64_t
expiry_check(struct queue *q, struct queued_message *e, int64_t now_ms)
{
	struct msgid id = e->id;
	size_t count = e->delivery_count;
	struct delivery *delivery;

	if (now_ms < expiry_ms(e))
		return expiry_ms(e);
	while (count-- > 0 && (delivery = expiry_next(q, id, now_ms))) {
		struct smtp_status status = expiry_status(q, delivery);

		schedule_remove(q->schedule, &delivery->sched);
		outcomes_expire(q, delivery, &status);
	}
	e = queued_find(&q->queued, id);
	return e && expiry_has_open(e) ? expiry_again_ms(q, e, now_ms) : INT64_MAX;
}

void
expiry_relay_lost(struct queue *q)
{
	q->relay_absent_since_ms = clock_mono_ms();
}

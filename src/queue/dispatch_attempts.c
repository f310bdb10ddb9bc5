/*
 * dispatch_attempts: see the header.
 */
#include "queue/dispatch_attempts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/dispatch_deadlines.h"
#include "queue/dispatch_log.h"
#include "queue/lifetime.h"
#include "queue/reports/reports.h"

static struct str
dispatch_attempt_key(const uint64_t *number)
{
	return str_make((const char *)number, sizeof *number);
}

struct dispatch_attempt *
dispatch_attempt_find(const struct queue *q, uint64_t number)
{
	return map_get(q->attempts, dispatch_attempt_key(&number));
}

struct dispatch_attempt *
dispatch_attempt_new(struct queue *q, uint64_t number, struct delivery *delivery)
{
	struct dispatch_attempt *attempt = MEM_NEW(struct dispatch_attempt);

	attempt->number = number;
	attempt->queue = q;
	attempt->id = delivery_message(delivery)->id;
	attempt->delivery = delivery;
	delivery_set_attempt(delivery, attempt);
	map_put(q->attempts, dispatch_attempt_key(&attempt->number), attempt);
	dispatch_deadline_begin(attempt);
	return attempt;
}

void
dispatch_attempt_read_done(struct dispatch_attempt *attempt)
{
	if (attempt->queue->reading_attempts-- == DISPATCH_READING_MAX)
		queue_wake(attempt->queue);
}

static void
dispatch_attempt_free(struct dispatch_attempt *attempt)
{
	dispatch_deadline_end(attempt);
	map_remove(attempt->queue->attempts, dispatch_attempt_key(&attempt->number));
	if (spool_is_reading(&attempt->reading)) {
		spool_read_cancel(&attempt->reading);
		dispatch_attempt_read_done(attempt);
	}
	if (attempt->delivery)
		delivery_set_attempt(attempt->delivery, NULL);
	mem_free(attempt);
}

void
dispatch_detach_delivery(struct delivery *delivery)
{
	if (!delivery_attempt(delivery))
		return;
	delivery_attempt(delivery)->delivery = NULL;
	delivery_set_attempt(delivery, NULL);
}

/* ---- end of an attempt ---- */

static void
clear_expected_results(struct delivery *delivery)
{
	struct queued_message *e = delivery_message(delivery);

	for (uint32_t i = 0; i < e->recipient_count; i++)
		if (&e->deliveries[queued_message_recipients(e)[i].delivery] == delivery)
			queued_message_recipients(e)[i].is_expected = false;
}

static int64_t
next_due(const struct queue *q, struct delivery *delivery, const struct dispatch_attempt *attempt,
    int64_t now_ms)
{
	struct lifetime_attempt j = {.expires_ms = delivery->sched.expires_ms,
	    .pause_ms = schedule_backoff_ms(q->schedule, delivery->pauses),
	    .pauses = delivery->pauses,
	    .is_deferred = attempt->is_deferred,
	    .is_tried = attempt->is_tried};

	if (now_ms < j.expires_ms || attempt->is_deferred || attempt->is_tried)
		delivery->requeues = 0;
	else if (delivery->requeues < DELIVERY_REQUEUES_MAX)
		delivery->requeues++;
	j.requeues = delivery->requeues;
	return lifetime_after_attempt_ms(&j, now_ms);
}

/* Returns the delivery to the schedule with its open recipients. */
static void
return_to_schedule(struct dispatch_attempt *attempt, enum schedule_outcome outcome)
{
	struct queue *q = attempt->queue;
	struct delivery *delivery = attempt->delivery;
	int64_t now = clock_ms();

	clear_expected_results(delivery);
	delivery_set_attempt(delivery, NULL);
	attempt->delivery = NULL;
	schedule_finished(q->schedule, &delivery->sched, outcome,
	    attempt->status.code ? &attempt->status : NULL, now);
	delivery->pauses = (uint16_t)(delivery->pauses + attempt->is_tried);
	delivery->sched.tries = (uint16_t)(delivery->sched.tries + attempt->is_connected);
	queue_schedule(q, delivery, next_due(q, delivery, attempt, now));
}

static enum schedule_outcome
dispatch_attempt_outcome(const struct dispatch_attempt *attempt)
{
	if (attempt->is_busy)
		return SCHEDULE_BUSY;
	if (attempt->is_reached)
		return SCHEDULE_REACHED;
	if (attempt->is_unreachable)
		return SCHEDULE_UNREACHABLE;
	return attempt->is_silent ? SCHEDULE_SILENT : SCHEDULE_UNKNOWN;
}

void
dispatch_attempt_end(struct dispatch_attempt *attempt)
{
	struct queue *q = attempt->queue;
	struct queued_message *e = attempt->delivery ? delivery_message(attempt->delivery) : NULL;

	if (e)
		return_to_schedule(attempt, dispatch_attempt_outcome(attempt));
	dispatch_attempt_free(attempt);
	if (e) {
		reports_check(q, e);
		queue_finish_message(q, e);
	}
	queue_check_stopped(q);
	queue_wake(q);
}

void
dispatch_attempt_give_up(struct dispatch_attempt *attempt)
{
	if (!attempt->delivery) {
		dispatch_attempt_free(attempt);
		return;
	}
	if (attempt->is_sent) {
		delivery_set_late_attempt(attempt->delivery, attempt->number);
		delivery_set_unanswered(attempt->delivery, clock_ms());
	} else if (attempt->delivery->unreadable < UINT8_MAX) {
		attempt->delivery->unreadable++;
	}
	attempt->is_tried |= attempt->is_sent;
	attempt->is_connected |= attempt->is_sent;
	attempt->is_deferred = true;
	dispatch_attempt_end(attempt);
}

/* No host was contacted for it, so it does not count as an attempt. */
void
dispatch_attempt_requeue(struct dispatch_attempt *attempt, const char *why)
{
	dispatch_log_open(attempt, LOG_INFO, "put_back", why);
	dispatch_attempt_end(attempt);
}

/* ---- loss of relay ---- */

static void
lose_relay_attempt(struct str key, void *value, void *arg)
{
	struct dispatch_attempt *attempt = value;

	(void)key;
	(void)arg;
	if (!attempt->delivery && attempt->is_sent)
		dispatch_attempt_free(attempt);
	else if (attempt->is_sent) {
		delivery_set_unanswered(attempt->delivery, clock_ms());
		attempt->is_tried = attempt->is_connected = true;
		dispatch_log_open(attempt, LOG_WARNING, "unknown", "relay_lost");
		dispatch_attempt_end(attempt);
	}
}

void
dispatch_attempts_relay_lost(struct queue *q)
{
	map_each(q->attempts, lose_relay_attempt, NULL);
}

/*
 * dispatch_deadlines: a heap of the attempts, ordered by the time of their next deadline, and one
 * event for the first of them.
 */
#include "queue/dispatch_deadlines.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/timeouts.h"

static struct dispatch_attempt *
first_due_attempt(const struct queue *q)
{
	const struct timer *first = timers_first(&q->deadlines);

	return first ? (struct dispatch_attempt *)((char *)first -
	                                           offsetof(struct dispatch_attempt, deadline))
	             : NULL;
}

static void
arm_attempt_timer(struct queue *q)
{
	const struct dispatch_attempt *attempt = first_due_attempt(q);
	int64_t ms = attempt ? attempt->deadline.at_ms - clock_mono_ms() : 0;
	struct timeval tv = {0};

	if (!attempt) {
		evtimer_del(q->deadline_event);
		return;
	}
	if (ms < 0)
		ms = 0;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	evtimer_add(q->deadline_event, &tv);
}

static void
dispatch_deadline_set(struct dispatch_attempt *attempt, int64_t at_ms)
{
	struct queue *q = attempt->queue;

	timers_set(&q->deadlines, &attempt->deadline, at_ms);
	if (first_due_attempt(q) == attempt)
		arm_attempt_timer(q);
}

void
dispatch_deadline_end(struct dispatch_attempt *attempt)
{
	struct queue *q = attempt->queue;
	bool is_first = first_due_attempt(q) == attempt;

	timers_remove(&q->deadlines, &attempt->deadline);
	if (is_first)
		arm_attempt_timer(q);
}

void
dispatch_deadline_begin(struct dispatch_attempt *attempt)
{
	struct queued_message *e = delivery_message(attempt->delivery);

	attempt->began_ms = clock_mono_ms();
	attempt->grace_ms = timeouts_grace_ms(attempt->queue->role->conf, e->bytes);
	dispatch_deadline_set(
	    attempt, attempt->began_ms + timeouts_attempt_ms(attempt->queue->role->conf, e->bytes));
}

void
dispatch_deadline_renew(struct dispatch_attempt *attempt)
{
	struct queue *q = attempt->queue;

	if (!attempt->is_cancelled && attempt->delivery)
		dispatch_deadline_set(attempt,
		    clock_mono_ms() + timeouts_attempt_ms(q->role->conf,
		                          delivery_message(attempt->delivery)->bytes));
}

static void
log_late_attempt(const struct dispatch_attempt *attempt, const char *text)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "deliver");
	log_id(&l, attempt->id, 0);
	log_str(&l, "status", STR("unknown"));
	log_str(&l, "reason", STR("timeout"));
	log_seconds(&l, "took", clock_mono_ms() - attempt->began_ms);
	log_quoted(&l, "text", str_of(text));
	log_end(&l);
}

/* Relay answers with a result for each recipient that has none. */
static void
dispatch_deadline_send_cancel(const struct dispatch_attempt *attempt, bool is_forced)
{
	struct queue *q = attempt->queue;
	struct message_cancel m = {.attempt_id = attempt->number, .is_forced = is_forced};

	if (q->relay)
		(void)!channel_send(q->relay->channel, MESSAGE_CANCEL, &m, -1);
}

void
dispatch_deadline_cancel(struct dispatch_attempt *attempt)
{
	if (attempt->is_sent && !attempt->is_cancelled)
		dispatch_deadline_send_cancel(attempt, false);
}

static void
cancel_late_attempt(struct dispatch_attempt *attempt)
{
	log_late_attempt(attempt, "the attempt takes too long, relay is told to end it");
	attempt->is_cancelled = true;
	dispatch_deadline_set(attempt, clock_mono_ms() + attempt->grace_ms);
	dispatch_deadline_send_cancel(attempt, true);
}

static void
dispatch_deadline_passed(struct dispatch_attempt *attempt)
{
	if (attempt->is_sent && !attempt->is_cancelled) {
		cancel_late_attempt(attempt);
		return;
	}
	log_late_attempt(attempt, attempt->is_sent
	                              ? "relay did not end the attempt, it is made again later"
	                              : "the message could not be read in time");
	attempt->queue->give_up_attempt(attempt);
}

static void
dispatch_deadline_fired(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	struct dispatch_attempt *attempt;

	(void)fd;
	(void)what;
	while ((attempt = first_due_attempt(q)) && attempt->deadline.at_ms <= clock_mono_ms())
		dispatch_deadline_passed(attempt);
	arm_attempt_timer(q);
}

void
dispatch_deadlines_init(struct queue *q, void (*give_up)(struct dispatch_attempt *attempt))
{
	q->give_up_attempt = give_up;
	timers_init(&q->deadlines);
	q->deadline_event = evtimer_new(q->role->base, dispatch_deadline_fired, q);
}

void
dispatch_deadlines_clear(struct queue *q)
{
	timers_clear(&q->deadlines);
	if (q->deadline_event)
		event_free(q->deadline_event);
	q->deadline_event = NULL;
}

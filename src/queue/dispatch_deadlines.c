/*
 * dispatch_deadlines: a heap of the jobs by the moment at which something must be done about them,
 * and one event for the first of them.
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
	const struct dispatch_attempt *job = first_due_attempt(q);
	int64_t ms = job ? job->deadline.at_ms - clock_mono_ms() : 0;
	struct timeval tv = {0};

	if (!job) {
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
dispatch_deadline_set(struct dispatch_attempt *job, int64_t at_ms)
{
	struct queue *q = job->queue;

	timers_set(&q->deadlines, &job->deadline, at_ms);
	if (first_due_attempt(q) == job)
		arm_attempt_timer(q);
}

void
dispatch_deadline_end(struct dispatch_attempt *job)
{
	struct queue *q = job->queue;
	bool is_first = first_due_attempt(q) == job;

	timers_remove(&q->deadlines, &job->deadline);
	if (is_first)
		arm_attempt_timer(q);
}

void
dispatch_deadline_begin(struct dispatch_attempt *job)
{
	struct queued_message *e = job->shipment->entry;

	job->began_ms = clock_mono_ms();
	job->grace_ms = timeouts_grace_ms(job->queue->role->conf, e->bytes);
	dispatch_deadline_set(
	    job, job->began_ms + timeouts_attempt_ms(job->queue->role->conf, e->bytes));
}

void
dispatch_deadline_renew(struct dispatch_attempt *job)
{
	struct queue *q = job->queue;

	if (!job->is_cancelled && job->shipment)
		dispatch_deadline_set(job, clock_mono_ms() +
		        timeouts_attempt_ms(q->role->conf, job->shipment->entry->bytes));
}

static void
log_late_attempt(const struct dispatch_attempt *job, const char *text)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "deliver");
	log_id(&l, job->id, 0);
	log_str(&l, "status", STR("unknown"));
	log_str(&l, "reason", STR("timeout"));
	log_seconds(&l, "took", clock_mono_ms() - job->began_ms);
	log_quoted(&l, "text", str_of(text));
	log_end(&l);
}

/* Relay answers with results for all recipients that have none. */
static void
dispatch_deadline_send_cancel(const struct dispatch_attempt *job, bool is_forced)
{
	struct queue *q = job->queue;
	struct message_cancel m = {.attempt_id = job->number, .is_forced = is_forced};

	if (q->relay)
		(void)!channel_send(q->relay->channel, MESSAGE_CANCEL, &m, -1);
}

void
dispatch_deadline_cancel(struct dispatch_attempt *job)
{
	if (job->is_sent && !job->is_cancelled)
		dispatch_deadline_send_cancel(job, false);
}

static void
cancel_late_attempt(struct dispatch_attempt *job)
{
	log_late_attempt(job, "the attempt takes too long, relay is told to end it");
	job->is_cancelled = true;
	dispatch_deadline_set(job, clock_mono_ms() + job->grace_ms);
	dispatch_deadline_send_cancel(job, true);
}

static void
dispatch_deadline_passed(struct dispatch_attempt *job)
{
	if (job->is_sent && !job->is_cancelled) {
		cancel_late_attempt(job);
		return;
	}
	log_late_attempt(job, job->is_sent ? "relay did not end the attempt, it is made again later"
	                           : "the message could not be read in time");
	dispatch_attempt_give_up(job);
}

static void
dispatch_deadline_fired(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	struct dispatch_attempt *job;

	(void)fd;
	(void)what;
	while ((job = first_due_attempt(q)) && job->deadline.at_ms <= clock_mono_ms())
		dispatch_deadline_passed(job);
	arm_attempt_timer(q);
}

void
dispatch_deadlines_init(struct queue *q)
{
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

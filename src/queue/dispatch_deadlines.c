/*
 * dispatch_deadlines: a heap of the jobs by the moment at which something must be done about them,
 * and one event for the first of them.
 */
#include "queue/dispatch_deadlines.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/timeouts.h"

static struct job *
first_job(const struct queue *q)
{
	const struct timer *first = timers_first(&q->deadlines);

	return first ? (struct job *)((char *)first - offsetof(struct job, deadline)) : NULL;
}

static void
arm_first(struct queue *q)
{
	const struct job *job = first_job(q);
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
deadline_set(struct job *job, int64_t at_ms)
{
	struct queue *q = job->queue;

	timers_set(&q->deadlines, &job->deadline, at_ms);
	if (first_job(q) == job)
		arm_first(q);
}

void
deadline_end(struct job *job)
{
	struct queue *q = job->queue;
	bool is_first = first_job(q) == job;

	timers_remove(&q->deadlines, &job->deadline);
	if (is_first)
		arm_first(q);
}

void
deadline_begin(struct job *job)
{
	struct entry *e = job->shipment->entry;

	job->began_ms = clock_mono_ms();
	job->grace_ms = patience_grace_ms(job->queue->role->conf, e->bytes);
	deadline_set(job, job->began_ms + patience_job_ms(job->queue->role->conf, e->bytes));
}

void
deadline_renew(struct job *job)
{
	struct queue *q = job->queue;

	if (!job->is_cancelled && job->shipment)
		deadline_set(job, clock_mono_ms() +
		        patience_job_ms(q->role->conf, job->shipment->entry->bytes));
}

static void
log_late(const struct job *job, const char *text)
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
deadline_send_cancel(const struct job *job, bool is_forced)
{
	struct queue *q = job->queue;
	struct message_cancel m = {.job = job->number, .is_forced = is_forced};

	if (q->relay)
		(void)!channel_send(q->relay->channel, MESSAGE_CANCEL, &m, -1);
}

void
deadline_recall(struct job *job)
{
	if (job->is_sent && !job->is_cancelled)
		deadline_send_cancel(job, false);
}

static void
cancel_job(struct job *job)
{
	log_late(job, "the attempt takes too long, relay is told to end it");
	job->is_cancelled = true;
	deadline_set(job, clock_mono_ms() + job->grace_ms);
	deadline_send_cancel(job, true);
}

static void
job_passed(struct job *job)
{
	if (job->is_sent && !job->is_cancelled) {
		cancel_job(job);
		return;
	}
	log_late(job, job->is_sent ? "relay did not end the attempt, it is made again later"
	                           : "the message could not be read in time");
	job_give_up(job);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	struct job *job;

	(void)fd;
	(void)what;
	while ((job = first_job(q)) && job->deadline.at_ms <= clock_mono_ms())
		job_passed(job);
	arm_first(q);
}

void
deadlines_init(struct queue *q)
{
	timers_init(&q->deadlines);
	q->deadline_event = evtimer_new(q->role->base, on_deadline, q);
}

void
deadlines_clear(struct queue *q)
{
	timers_clear(&q->deadlines);
	if (q->deadline_event)
		event_free(q->deadline_event);
	q->deadline_event = NULL;
}

/*
 * queued_times: a walk over the messages in their order.  The next walk begins at the earliest time
 * that was found, but not before a pause that grows with their number, so that the walks take about
 * a hundredth of the processor.
 */
#include "queue/queued_times.h"

#include "base/clock.h"
#include "queue/expiry.h"
#include "queue/reports/reports.h"

enum {
	QUEUED_TIMES_PER_TURN = 500,
	QUEUED_TIMES_TURN_MS = 20,
	QUEUED_TIMES_PAUSE_PART = 50,    /* messages for each millisecond of the pause */
	QUEUED_TIMES_SLEEP_MS = 3600 * 1000, /* the clock may be set */
};

static void
queued_times_sleep(struct queue *q, int64_t ms)
{
	struct timeval tv;

	ms = ms > 0 ? ms : 0;
	ms = ms < QUEUED_TIMES_SLEEP_MS ? ms : QUEUED_TIMES_SLEEP_MS;
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	evtimer_add(q->times.event, &tv);
}

static void
queued_times_note(struct queue *q, int64_t at_ms)
{
	if (at_ms < q->times.next_ms)
		q->times.next_ms = at_ms;
}

/* Either of the two may remove the message. */
static void
queued_times_check(struct queue *q, struct queued_message *e, int64_t now_ms)
{
	struct msgid id = e->id;

	queued_times_note(q, reports_check_delay(q, e, now_ms));
	e = queued_find(&q->queued, id);
	if (e)
		queued_times_note(q, expiry_check(q, e, now_ms));
}

static void
queued_times_end_walk(struct queue *q)
{
	int64_t pause_ms = (int64_t)(q->queued.messages.count / QUEUED_TIMES_PAUSE_PART);
	int64_t wait_ms = q->times.next_ms - clock_ms();

	q->times.is_walking = false;
	if (q->times.next_ms < INT64_MAX)
		queued_times_sleep(q, wait_ms > pause_ms ? wait_ms : pause_ms);
}

static void
queued_times_on_time(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	int64_t now_ms = clock_ms();

	(void)fd;
	(void)what;
	if (!q->times.is_walking) {
		q->times.is_walking = true;
		q->times.next = id_table_first(&q->queued.messages);
		q->times.next_ms = INT64_MAX;
	}
	for (int i = 0; i < QUEUED_TIMES_PER_TURN && q->times.next; i++) {
		struct queued_message *e = q->times.next;

		q->times.next = id_table_next(&q->queued.messages, e);
		queued_times_check(q, e, now_ms);
	}
	if (q->times.next)
		queued_times_sleep(q, QUEUED_TIMES_TURN_MS);
	else
		queued_times_end_walk(q);
}

void
queued_times_message_added(struct queue *q, struct queued_message *e)
{
	int64_t before_ms = q->times.next_ms, now_ms = clock_ms();
	int64_t delay_ms = reports_delay_ms(q, e), end_ms = expiry_ms(e);

	queued_times_note(q, delay_ms < end_ms ? delay_ms : end_ms);
	if (q->times.next_ms < before_ms && !q->times.is_walking)
		queued_times_sleep(q, q->times.next_ms - now_ms);
}

void
queued_times_message_removed(struct queue *q, const struct queued_message *e)
{
	if (q->times.next == e)
		q->times.next = id_table_next(&q->queued.messages, e);
}

void
queued_times_configure(struct queue *q)
{
	q->times.is_walking = false;
	queued_times_sleep(q, 0);
}

void
queued_times_init(struct queue *q, struct event_base *base)
{
	q->times.next_ms = INT64_MAX;
	q->times.event = evtimer_new(base, queued_times_on_time, q);
}

void
queued_times_clear(struct queue *q)
{
	if (q->times.event)
		event_free(q->times.event);
	q->times.event = NULL;
}

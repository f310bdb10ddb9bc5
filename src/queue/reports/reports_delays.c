/*
 * reports_delays: when the delay report of a message is due.
 */
#include "base/clock.h"
#include "queue/lifetime.h"
#include "queue/reports/reports_parts.h"

enum { WARNINGS_PER_TURN = 100 };

static struct queued_message *
report_message_of(struct timer *t)
{
	return (
	    struct queued_message *)(void *)((char *)t - offsetof(struct queued_message, warning));
}

static void
report_arm_warnings(struct queue *q)
{
	struct timer *first = timers_first(&q->reports->warnings);
	int64_t ms = first ? first->at_ms - clock_ms() : 0;

	if (first)
		reports_arm(q->reports->warning_event, ms > 0 ? ms : 0);
}

static bool
report_may_warn(const struct queued_message *e)
{
	for (uint32_t i = 1; i <= e->recipient_count; i++)
		if (reports_is_warned_of(e, i))
			return true;
	return false;
}

void
reports_set_warning(struct queue *q, struct queued_message *e)
{
	struct timer *first = timers_first(&q->reports->warnings);
	int64_t at_ms = lifetime_warning_ms(
	    e->arrival_ms, q->role->conf->queue.delay_warning_ms, e->expires_ms);

	timers_remove(&q->reports->warnings, &e->warning);
	if (at_ms == INT64_MAX || !report_may_warn(e))
		return;
	timers_set(&q->reports->warnings, &e->warning, at_ms);
	if (!first || at_ms < first->at_ms)
		report_arm_warnings(q);
}

/* Not after the expiry: a report about the end follows soon. */
static void
report_warn(struct queue *q, struct queued_message *e, int64_t now_ms)
{
	if (lifetime_is_over(e->expires_ms, false, now_ms))
		return;
	if (e->is_held) {
		timers_set(&q->reports->warnings, &e->warning, now_ms + REPORTS_HELD_MS);
		return;
	}
	e->is_warning_due = true;
	reports_check(q, e);
}

void
reports_on_warning(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	int64_t now = clock_ms();
	struct timer *t;

	(void)fd;
	(void)what;
	for (int i = 0; i < WARNINGS_PER_TURN; i++) {
		t = timers_first(&q->reports->warnings);
		if (!t || t->at_ms > now)
			break;
		timers_remove(&q->reports->warnings, t);
		report_warn(q, report_message_of(t), now);
	}
	report_arm_warnings(q);
}

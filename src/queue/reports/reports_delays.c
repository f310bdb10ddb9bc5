/*
 * reports_delays: when the delay report of a message is due.
 */
#include "queue/lifetime.h"
#include "queue/reports/reports_parts.h"

static bool
report_may_warn(const struct queued_message *e)
{
	for (uint32_t i = 1; i <= e->recipient_count; i++)
		if (reports_is_warned_of(e, i))
			return true;
	return false;
}

int64_t
reports_delay_ms(const struct queue *q, const struct queued_message *e)
{
	int64_t at_ms = lifetime_warning_ms(e->arrival_ms, q->role->conf->queue.delay_warning_ms,
	    queued_message_expires_ms(e));

	return at_ms < INT64_MAX && !e->is_warning_done && report_may_warn(e) ? at_ms : INT64_MAX;
}

/* Not after the expiry: a report about the end follows soon. */
int64_t
reports_check_delay(struct queue *q, struct queued_message *e, int64_t now_ms)
{
	int64_t at_ms = reports_delay_ms(q, e);

	if (at_ms > now_ms)
		return at_ms;
	if (lifetime_is_over(queued_message_expires_ms(e), false, now_ms))
		return INT64_MAX;
	if (e->is_held)
		return now_ms + REPORTS_HELD_MS;
	e->is_warning_done = true;
	e->is_warning_due = true;
	reports_check(q, e);
	return INT64_MAX;
}

void
reports_configure(struct queue *q)
{
	struct queued_message *e;

	for (e = id_table_first(&q->queued.messages); e;
	    e = id_table_next(&q->queued.messages, e))
		e->is_warning_done = false;
}

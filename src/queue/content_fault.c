/*
 * content_fault: a hold is effective in memory even when it cannot be stored: the next start finds
 * the damage again. Deliveries with a running attempt stay until it ends. The operator's own hold
 * is not replaced. A delivery that waits is no try; its pause grows with each failed read up to a
 * maximum.
 */
#include "queue/content_fault.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/lifetime.h"
#include "spool/spool_fault.h"

enum { UNREADABLE_FIRST_MS = 1000, UNREADABLE_MAX_MS = 300000, HELD_TEXT_BYTES = 1024 };

/* ---- held ---- */

/* what: without "damaged: ". */
static void
content_fault_report_held(const struct queue *q, const struct queued_message *e, const char *what)
{
	char id[ID_NUMBER_TEXT_BYTES], until[CLOCK_TEXT_BYTES], text[HELD_TEXT_BYTES];

	msgid_text(e->id, 0, id);
	if (lifetime_is_over(queued_message_expires_ms(e), false, clock_ms()))
		snprintf(text, sizeof text,
		    "message %s cannot be sent: %s; its life (queue.lifetime) is over, and its "
		    "sender is told", id, what);
	else
		snprintf(text, sizeof text,
		    "message %s is held: %s; `sallyport queue release %s` tries once more, "
		    "`sallyport queue delete %s` gives it up; else its sender is told at %s "
		    "(queue.lifetime)", id, what, id, id,
		    clock_iso(queued_message_expires_ms(e), until));
	log_error("%s", text);
	role_alert(q->role, NOTICE_MESSAGES, str_of(id), "%s", text);
}

void
content_fault_hold(struct queue *q, struct queued_message *e, int error)
{
	struct spool_entry entry = {.kind = SPOOL_HOLD, .id = e->id};
	struct spool_batch batch = {.entries = &entry, .count = 1, .urgency = SPOOL_LAZY};
	char id[ID_NUMBER_TEXT_BYTES], room[SPOOL_FAULT_HELD_REASON_BYTES];
	const char *why = spool_fault_held_reason(e->id, error, room);

	/* the operator's reason stays: after a release the damage is found again */
	if (queued_message_is_operator_held(e))
		return;
	entry.hold.is_held = true;
	entry.hold.why = str_of(why);
	msgid_text(e->id, 0, id);
	if (spool_append(q->spool, &batch) != 0)
		log_warn("spool: the hold of message %s cannot be stored: %m; the next start holds "
			 "it again", id);
	queued_message_hold(&q->queued, e, true);
	e->is_damaged = true;
	for (size_t i = 0; i < e->delivery_count; i++)
		if (!delivery_attempt(&e->deliveries[i]))
			schedule_remove(q->schedule, &e->deliveries[i].sched);
	content_fault_report_held(q, e, why + strlen("damaged: "));
}

/* ---- tried again ---- */

/* A temporary error of the disk or of the process: it is no attempt, and no report is sent. */
void
content_fault_wait(struct queue *q, struct delivery *delivery, int error)
{
	int64_t wait_ms = UNREADABLE_FIRST_MS, next_ms;
	char stamp[CLOCK_TEXT_BYTES];
	struct log_line l;

	for (unsigned n = 0; n < delivery->unreadable && wait_ms < UNREADABLE_MAX_MS; n++)
		wait_ms *= 2;
	wait_ms = wait_ms < UNREADABLE_MAX_MS ? wait_ms : UNREADABLE_MAX_MS;
	if (delivery->unreadable < UINT8_MAX)
		delivery->unreadable++;
	next_ms = lifetime_next_ms(delivery->sched.expires_ms, wait_ms, clock_ms());
	log_begin(&l, LOG_ERR, "deliver");
	log_id(&l, delivery_message(delivery)->id, 0);
	log_str(&l, "status", STR("deferred"));
	log_str(&l, "reason", STR("unreadable"));
	log_str(&l, "domain", delivery_domain(delivery));
	log_str(&l, "next", str_of(clock_iso(next_ms, stamp)));
	log_quoted(&l, "error", str_of(spool_fault_text(error)));
	log_end(&l);
	queue_schedule(q, delivery, next_ms);
}

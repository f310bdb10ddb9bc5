/*
 * reports: who gets a report about a message, and when: about failures, about deliveries when the
 * sender asked for that, and once about a delay.  The end of a recipient is stored at once, with
 * the mark that a report is owed.  When the round of attempts is over (no attempt of the message is
 * running or due, or REPORTS_ROUND_MS have passed since the first end), one report covers all of
 * them, over all domains.  It becomes durable in one batch with the statuses that it settles: both
 * or neither.  Reports that are owed after a crash are composed by the next queue process, with the
 * same id.
 */
#ifndef QUEUE_REPORTS_REPORTS_H
#define QUEUE_REPORTS_REPORTS_H

#include "queue/queue_internal.h"

enum {
	REPORTS_ROUND_MS = 15000,      /* a slow domain delays the report of another for so long */
	REPORTS_AT_ONCE = 16,          /* being read or stored; the others wait */
	REPORTS_PAUSE_FIRST_MS = 2000, /* after a report that could not be stored, doubled */
	REPORTS_PAUSE_MAX_MS = 60000,  /* for all such reports together. The same after a message
	                                  that could not be read, for its report alone */
	REPORTS_READS_MAX = 10,        /* then the report is made without the message's content */
	REPORTS_HELD_MS = 600000,      /* then the delay of a held message is checked again */
};

void reports_init(struct queue *q, struct event_base *base);
void reports_clear(struct queue *q);

/* Is a report owed for this end?  Then queued_recipient_owe_report, else
 * queued_recipient_set_outcome. */
bool reports_is_owed(
    const struct queued_message *e, uint32_t number, enum spool_outcome outcome, uint8_t marks);

/* The message leaves the queue. */
void reports_message_removed(struct queue *q, struct queued_message *e);
/* An end is durable, or an attempt has ended, or the message was queued and may owe a report
 * already. */
void reports_check(struct queue *q, struct queued_message *e);
/* Relay has sent all old results: reports that are owed may be made. */
void reports_check_all(struct queue *q);
/* When the delay report of the message is due; INT64_MAX: never. */
int64_t reports_delay_ms(const struct queue *q, const struct queued_message *e);
/* Makes the delay report if it is due now; returns when the message is to be checked again, or
 * INT64_MAX. */
int64_t reports_check_delay(struct queue *q, struct queued_message *e, int64_t now_ms);
/* queue.delay_warning may have changed. */
void reports_configure(struct queue *q);
/* No report is being read or stored, or will be soon. */
bool reports_are_idle(const struct queue *q);

#endif

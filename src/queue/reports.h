/*
 * reports: who is told what became of a message: failures, deliveries that the sender asked to hear
 * of, and, once, a delay.  A recipient's end is stored at once as one that owes a report.  When the
 * round of attempts is over (no attempt of the message is running or due, or REPORTS_ROUND_MS
 * passed since the first end), one report tells of all of them, over all domains.  It becomes
 * durable in one batch with the statuses that it settles: both or none.  What a crash leaves owed
 * is composed by the next queue, under the same id.
 */
#ifndef QUEUE_REPORTS_H
#define QUEUE_REPORTS_H

#include "queue/queue_internal.h"

enum {
	REPORTS_ROUND_MS = 15000,       /* a slow domain delays the report of another that long */
	REPORTS_AT_ONCE = 16,           /* being read or stored; the others wait their turn */
	REPORTS_PAUSE_FIRST_MS = 2000,  /* after a report that could not be stored, doubled ... */
	REPORTS_PAUSE_MAX_MS = 60000,   /* ... up to this; one is tried for all.  The same after a
	                                 * message that could not be read, for its report alone */
	REPORTS_READS_MAX = 10,         /* then it is told without the message's content */
	REPORTS_HELD_MS = 600000,       /* a held message's delay is looked at again */
};

void reports_init(struct queue *q, struct event_base *base);
void reports_clear(struct queue *q);

/* Is anyone to be told of this end?  Then queued_recipient_owe_report, else
 * queued_recipient_set_outcome. */
bool reports_is_owed(
    const struct queued_message *e, uint32_t number, enum spool_outcome outcome, uint8_t marks);

/* The entry came into the book, with what it may owe already; or leaves it. */
void reports_message_added(struct queue *q, struct queued_message *e);
void reports_message_removed(struct queue *q, struct queued_message *e);
/* Something of it changed: an end is durable, an attempt is over. */
void reports_check(struct queue *q, struct queued_message *e);
/* Relay told what the queue before us left with it: what is owed may go. */
void reports_check_all(struct queue *q);
/* queue.delay_warning may be another one. */
void reports_configure(struct queue *q);
/* None is being read or stored at this moment, or will be soon. */
bool reports_are_idle(const struct queue *q);

#endif

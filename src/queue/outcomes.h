/*
 * outcomes: what became of an attempt, recipient by recipient: state, record, log line, failure.
 */
#ifndef QUEUE_OUTCOMES_H
#define QUEUE_OUTCOMES_H

#include "queue/dispatch.h"
#include "queue/queue_internal.h"

/* From relay; told twice, it counts once and is acknowledged twice. */
void outcomes_handle(struct queue *q, const struct message_result *m);
/* The schedule gave the shipment up, or defers it, without an attempt. */
void outcomes_unsent(struct queue *q, struct delivery *s, const struct schedule_step *step);
/* Its time is over, and no attempt came to an end. */
void outcomes_expire(struct queue *q, struct delivery *s, const struct smtp_status *status);
/* Its body is proven to be damaged, by the error that spool_fault_held_reason takes: no later read
 * can bring it back.  It stays, held, until the operator decides or its time is over. */
void outcomes_hold_damaged(struct queue *q, struct queued_message *e, int error);
/* The spool cannot read it now: it is tried again, later each time. */
void outcomes_wait_for_content(struct queue *q, struct delivery *s, int error);
/* The spool could not read the job's message, or its end is being stored: it is not sent. */
void outcomes_unreadable(struct dispatch_attempt *job, int error);

#endif

/*
 * outcomes: what became of an attempt, recipient by recipient: state, record, log line, failure.
 */
#ifndef QUEUE_OUTCOMES_H
#define QUEUE_OUTCOMES_H

#include "queue/dispatch.h"
#include "queue/queue_internal.h"

/* From relay; told twice, it counts once and is acknowledged twice. */
void results_take(struct queue *q, const struct message_result *m);
/* The schedule gave the shipment up, or defers it, without an attempt. */
void results_unsent(struct queue *q, struct shipment *s, const struct schedule_step *step);
/* Its time is over, and no attempt came to an end. */
void results_expire(struct queue *q, struct shipment *s, const struct status *status);
/* Its body is proven to be damaged, by the error that finding_held_why takes: no later read can
 * bring it back.  It stays, held, until the operator decides or its time is over. */
void results_hold_damaged(struct queue *q, struct entry *e, int error);
/* The spool cannot read it now: it is tried again, later each time. */
void results_wait_for_content(struct queue *q, struct shipment *s, int error);
/* The spool could not read the job's message, or its end is being stored: it is not sent. */
void results_unreadable(struct job *job, int error);

#endif

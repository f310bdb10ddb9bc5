/*
 * outcomes: the result of an attempt for each recipient: its state, the stored status, the log
 * line, and what follows from a failure.  Each of these functions may remove and free the message.
 */
#ifndef QUEUE_OUTCOMES_H
#define QUEUE_OUTCOMES_H

#include "queue/dispatch_attempt.h"
#include "queue/queue_internal.h"

/* A result from relay.  A repetition counts once and is acknowledged again. */
void outcomes_handle(struct queue *q, const struct message_result *m);
/* The schedule ended or deferred the delivery without an attempt. */
void outcomes_unsent(struct queue *q, struct delivery *delivery, const struct schedule_step *step);
/* The delivery has expired without a completed attempt. */
void outcomes_expire(struct queue *q, struct delivery *delivery, const struct smtp_status *status);
/* The spool could not read the message, or its end is being stored: it is not sent. */
void outcomes_unreadable(struct dispatch_attempt *attempt, int error);

#endif

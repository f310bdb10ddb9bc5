/*
 * dispatch_deadlines: a bound for every attempt, whatever relay does.  At its deadline relay is
 * asked to end it.  When relay does not end it, the attempt is given up and its recipients are
 * tried again.
 */
#ifndef QUEUE_DISPATCH_DEADLINES_H
#define QUEUE_DISPATCH_DEADLINES_H

#include "queue/dispatch_attempt.h"

/* give_up: called when relay has not ended the attempt in time; it frees the attempt. */
void dispatch_deadlines_init(struct queue *q, void (*give_up)(struct dispatch_attempt *attempt));
void dispatch_deadlines_clear(struct queue *q);
/* The attempt begins now. */
void dispatch_deadline_begin(struct dispatch_attempt *attempt);
/* A result came: the remaining recipients have the time of a whole attempt again. */
void dispatch_deadline_renew(struct dispatch_attempt *attempt);
void dispatch_deadline_end(struct dispatch_attempt *attempt);
/* The operator holds or deleted the message: relay ends the attempt, unless the host already has
 * the whole message and only its answer is missing. */
void dispatch_deadline_cancel(struct dispatch_attempt *attempt);

#endif

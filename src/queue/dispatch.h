/*
 * dispatch: hands deliveries to relay and takes them back.  One attempt is one delivery that relay
 * is given once.  An attempt ends by its results (outcomes.c), by its deadline
 * (dispatch_deadlines.c) or by the loss of relay; what is open then returns to the schedule.
 */
#ifndef QUEUE_DISPATCH_H
#define QUEUE_DISPATCH_H

#include "queue/queue_internal.h"

/* Attempt ids start above those of any earlier queue process. */
void dispatch_init(struct queue *q);
void dispatch_clear(struct queue *q);
/* Does the steps of the schedule, up to a bound; false: there may be more at once. */
bool dispatch_run_schedule(struct queue *q);

/* What relay reports after its start, and the loss of its channel. */
void dispatch_relay_running(struct queue *q, const struct message_running *m);
void dispatch_relay_caught_up(struct queue *q);
void dispatch_relay_lost(struct queue *q);

#endif

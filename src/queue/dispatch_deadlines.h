/*
 * dispatch_deadlines: every job ends, whatever relay does.  When the time for it is over relay is
 * told to end it; when it does not, the job is given up and its recipients are tried again.
 */
#ifndef QUEUE_DISPATCH_DEADLINES_H
#define QUEUE_DISPATCH_DEADLINES_H

#include "queue/dispatch.h"

void dispatch_deadlines_init(struct queue *q);
void dispatch_deadlines_clear(struct queue *q);
/* The job begins now. */
void dispatch_deadline_begin(struct dispatch_attempt *job);
/* A result came: relay is at it, and the next recipients have the time of an attempt again. */
void dispatch_deadline_renew(struct dispatch_attempt *job);
void dispatch_deadline_end(struct dispatch_attempt *job);
/* The operator wants no more of it: relay ends it, unless the host has the whole message already
 * and only its answer is awaited. */
void dispatch_deadline_cancel(struct dispatch_attempt *job);

#endif

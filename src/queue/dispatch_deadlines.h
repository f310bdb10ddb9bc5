/*
 * dispatch_deadlines: every job ends, whatever relay does.  When the time for it is over relay is
 * told to end it; when it does not, the job is given up and its recipients are tried again.
 */
#ifndef QUEUE_DISPATCH_DEADLINES_H
#define QUEUE_DISPATCH_DEADLINES_H

#include "queue/dispatch.h"

void deadlines_init(struct queue *q);
void deadlines_clear(struct queue *q);
/* The job begins now. */
void deadline_begin(struct job *job);
/* A result came: relay is at it, and the next recipients have the time of an attempt again. */
void deadline_renew(struct job *job);
void deadline_end(struct job *job);
/* The operator wants no more of it: relay ends it, unless the host has the whole message already
 * and only its answer is awaited. */
void deadline_recall(struct job *job);

#endif

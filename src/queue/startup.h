/*
 * startup: opens the spool, and fills book, schedule and buckets from what it holds.
 */
#ifndef QUEUE_STARTUP_H
#define QUEUE_STARTUP_H

#include "queue/queue_internal.h"

/* 0, or what role_refuse returned: the spool cannot be used.  Takes the spool's directory. */
int queue_startup_run(struct queue *q) MUST_USE;

#endif

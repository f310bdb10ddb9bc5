/*
 * startup: opens the spool, and restores the queued messages, the schedule and the use of the
 * sending limits from it.
 */
#ifndef QUEUE_STARTUP_H
#define QUEUE_STARTUP_H

#include "queue/queue_internal.h"

/* 0, or what role_refuse returned: the spool cannot be used.  Takes ownership of the descriptor of
 * the spool directory. */
int queue_startup_run(struct queue *q) MUST_USE;

#endif

/*
 * body_recheck: relay says that a body's file is not what was stored.  It may have read it wrong:
 * the queue reads it as well, in a thread, and its answer counts.
 */
#ifndef QUEUE_BODY_RECHECK_H
#define QUEUE_BODY_RECHECK_H

#include "queue/queue_internal.h"

/* The message is held when a block does not fit here either; else it is tried again in its turn. */
void body_recheck_begin(struct queue *q, const struct queued_message *e);
/* The spool answers no one any more. */
void body_recheck_clear(struct queue *q);

#endif

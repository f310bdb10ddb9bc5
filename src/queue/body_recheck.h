/*
 * body_recheck: relay reports that the file of a body is not what was stored.  The error may be in
 * its own read: the queue reads the file as well, in a thread, and its result decides.
 */
#ifndef QUEUE_BODY_RECHECK_H
#define QUEUE_BODY_RECHECK_H

#include "queue/queue_internal.h"

/* Holds the message when the queue finds a damaged block too; else it is tried again as usual. */
void body_recheck_begin(struct queue *q, const struct queued_message *e);
/* The spool calls no callback any more. */
void body_recheck_clear(struct queue *q);

#endif

/*
 * compaction: frees the oldest segments of the log.  It always takes the oldest one first: a status
 * is written after its message, so the statuses in the oldest segment matter only for messages in
 * it.  Messages of that segment that are still live are written again, each with its statuses in
 * one frame; their copies must be durable before the segment is used again.
 */
#ifndef SPOOL_COMPACTION_H
#define SPOOL_COMPACTION_H

#include "spool/spool_internal.h"

/* Does one bounded piece of work.  For the event loop, in each of its turns. */
void compaction_run(struct spool *s);

#endif

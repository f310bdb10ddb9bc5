/*
 * compaction: gives the oldest segments back.  Always the oldest first: a status stands after its
 * message, so what the oldest segment says matters only to the messages in it.  Its survivors are
 * written anew, each with its states in one frame, and must be durable there before the old place
 * is reused.
 */
#ifndef SPOOL_COMPACTION_H
#define SPOOL_COMPACTION_H

#include "spool/spool_internal.h"

/* One bounded piece. */
void compaction_run(struct spool *s);

#endif

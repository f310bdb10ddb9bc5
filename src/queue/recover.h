/*
 * recover: reads a spool directory as hostile input and rebuilds what it says.
 */
#ifndef QUEUE_RECOVER_H
#define QUEUE_RECOVER_H

#include "queue/store.h"

/* Fills index, pool, and the writer's seal and sequence, and tells r of it (may be NULL).  -1 with
 * errno: keep off the spool; nothing on the disk was changed. */
int recover(struct spool *s, const struct spool_recovery *r) MUST_USE;

#endif

/*
 * recover: reads a spool directory as hostile input and rebuilds what it says.
 */
#ifndef QUEUE_RECOVER_H
#define QUEUE_RECOVER_H

#include "queue/store.h"

/* Fills index, pool, and the writer's seal and sequence; -1 with errno: keep off the spool. */
int recover(struct spool *s) MUST_USE;

#endif

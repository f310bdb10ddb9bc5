/*
 * recovery: reads a spool directory as hostile input and rebuilds what it says.
 */
#ifndef SPOOL_RECOVERY_H
#define SPOOL_RECOVERY_H

#include "spool/spool_internal.h"

/* Fills index, pool, and the writer's seal and sequence, and tells r of it (may be NULL).  -1 with
 * errno: keep off the spool; nothing on the disk was changed. */
int spool_recover(struct spool *s, const struct spool_recovery *r) MUST_USE;

#endif

/*
 * recovery: reads a spool directory as untrusted input and rebuilds from it the index, the pool and
 * the state of the writer.  It runs in spool_open, on the thread of the caller, before the other
 * threads do any work.
 */
#ifndef SPOOL_RECOVERY_H
#define SPOOL_RECOVERY_H

#include "spool/spool_internal.h"

/* Fills the index, the pool, and the writer's seal and sequence number, and calls the functions of
 * r (may be NULL).  -1 with errno: the spool must not be used; nothing on the disk was changed. */
int spool_recover(struct spool *s, const struct spool_recovery *r) MUST_USE;

#endif

/*
 * stale_segments: segment files that the log does not need: left by a write that failed, freed, or
 * put back after a start that went on without them.  None of their frames is applied.  One that
 * holds acknowledged messages is told and set aside under a name of its own; others are used again.
 */
#ifndef SPOOL_STALE_SEGMENTS_H
#define SPOOL_STALE_SEGMENTS_H

#include "spool/replay.h"

/* When the log is read.  Takes g to the pool.  -1 with errno, told: it could not be read. */
int stale_segments_check(
    struct replay *r, struct segment *g, const struct replay_end *end) MUST_USE;
/* Of one that the log does not need, with errno.  0, told: the disk has lost what stood there, and
 * the file is set aside; -1 with errno, told: what the machine lacks now is no damage. */
int stale_segments_unreadable(struct replay *r, struct segment *g, uint64_t offset) MUST_USE;
/* Renames what was given back and is not to be used again, when all else of it is done and before a
 * segment is begun: a later start must not ask again for what this one accepts.  What cannot be
 * renamed stays where it is, for the stock. */
void stale_segments_set_aside(struct segment_pool *p);

#endif

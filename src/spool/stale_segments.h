/*
 * stale_segments: segment files that the log does not need: left by a failed write, freed, or put
 * back after a start that went on without them.  None of their frames is applied.  One that holds
 * acknowledged messages is logged and set aside under a name of its own; others are used again.
 */
#ifndef SPOOL_STALE_SEGMENTS_H
#define SPOOL_STALE_SEGMENTS_H

#include "spool/replay_types.h"

/* To be called when the log is read.  Moves g to the pool.  -1 with errno, logged: it could not be
 * read. */
int stale_segments_check(
    struct replay *r, struct segment *g, const struct replay_end *end) MUST_USE;
/* For a segment that the log does not need and that failed to be read with errno.  0, logged: the
 * disk has lost its content, and the file is set aside; -1 with errno, logged: a shortage of the
 * machine is no damage. */
int stale_segments_unreadable(struct replay *r, struct segment *g, uint64_t offset) MUST_USE;
/* Renames the returned segments that are not to be used again, when all other work of the start is
 * done and before a segment is begun: a later start must not ask again for what this one accepts.
 * A file that cannot be renamed stays in the pool, which tries again. */
void stale_segments_set_aside(struct segment_pool *p);

#endif

/*
 * passed: segment files that the log does not need: left by a write that failed, freed, or put back
 * after a start that went on without them.  None of their frames is applied.  One that holds
 * acknowledged messages is told and set aside under a name of its own; others are used again.
 */
#ifndef QUEUE_PASSED_H
#define QUEUE_PASSED_H

#include "queue/replay.h"

/* When the log is read.  Takes g to the pool.  -1 with errno, told: it could not be read. */
int passed_segment(
    struct replay *r, struct segment *g, const struct replay_end *end) MUST_USE;
/* Of one that the log does not need, with errno.  0, told: the disk has lost what stood there, and
 * the file is set aside; -1 with errno, told: what the machine lacks now is no damage. */
int passed_unread(struct replay *r, struct segment *g, uint64_t offset) MUST_USE;

#endif

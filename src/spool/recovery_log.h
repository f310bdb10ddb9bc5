/*
 * recovery_log: reads all segments of the log, and decides what the writer uses next: the sequence
 * number, the generation, and the seal that records where the log ended.  It changes nothing on
 * the disk.
 */
#ifndef SPOOL_RECOVERY_LOG_H
#define SPOOL_RECOVERY_LOG_H

#include "spool/replay_types.h"

/* The segments are sorted by generation; each is moved into the index or the pool, and its place
 * becomes NULL.  -1 with errno, logged: the start is refused.  *is_whole_out: no segment can be
 * missing. */
int recovery_log_run(struct replay *r, struct segment **segments, size_t count,
    bool *is_whole_out) MUST_USE;

#endif

/*
 * recovery_log: reads the segments of the log, and decides what the writer gives next: sequence
 * number, generation, and the seal that says where the log ended.
 */
#ifndef SPOOL_RECOVERY_LOG_H
#define SPOOL_RECOVERY_LOG_H

#include "spool/replay.h"

/* By generation; takes each (into the index, or to the pool) and leaves NULL.  -1 with errno, told:
 * the start is refused.  is_whole_out: no segment can be missing. */
int recovery_log_run(struct replay *r, struct segment **segments, size_t count,
    bool *is_whole_out) MUST_USE;

#endif

/*
 * pool_header: writes the headers of segments that hold nothing, and decides what follows when the
 * disk refuses one: a pause, or that the segment is set aside.  For the segment pool only; recovery
 * calls segment_pool_write_mark as well.
 */
#ifndef SPOOL_POOL_HEADER_H
#define SPOOL_POOL_HEADER_H

#include "spool/segment_pool_types.h"

/* Writes the mark into the newest segment, durably.  This is necessary before a generation becomes
 * unreadable, and when a missing one was accepted: otherwise a later start would miss it, because
 * other headers may be torn, and files removed.  -1 with errno. */
int segment_pool_write_mark(struct segment_pool *p) MUST_USE;
/* `what` failed with errno, which is unchanged: logs it and sets the pause before the next attempt.
 * Returns -1. */
int segment_pool_failed(const struct segment_pool *p, struct disk_retry *t, const char *what);
/* Gives the segment a new generation for its next use; -1 with errno. */
int segment_pool_prepare(struct segment_pool *p, struct segment *s) MUST_USE;
/* Marks the segment as free: it holds nothing and has no place in the log.  -1 with errno. */
int segment_pool_write_free(struct segment_pool *p, struct segment *s, const char *what) MUST_USE;

#endif

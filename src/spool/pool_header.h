/*
 * pool_header: headers of segments that hold nothing, and what is done when the disk refuses one.
 */
#ifndef SPOOL_POOL_HEADER_H
#define SPOOL_POOL_HEADER_H

#include "spool/segment_pool.h"

/* `what` failed with errno, which stays: told, and tried again after a pause.  Returns -1. */
int segment_pool_failed(const struct segment_pool *p, struct disk_retry *t, const char *what);
/* A new generation for its next use; -1 with errno. */
int segment_pool_prepare(struct segment_pool *p, struct segment *s) MUST_USE;
/* It holds nothing, and has no place in the order of the log; -1 with errno. */
int segment_pool_write_free(struct segment_pool *p, struct segment *s, const char *what) MUST_USE;

#endif

/*
 * segment_maker: a new segment's file, made in bounded pieces.
 */
#ifndef SPOOL_SEGMENT_MAKER_H
#define SPOOL_SEGMENT_MAKER_H

#include "spool/segment_pool.h"

/* Its file, empty; -1 with errno. */
int segment_maker_begin(struct segment_pool *p) MUST_USE;
/* Zeros once written and synced, so that later syncs of frames do not have to allocate; -1 with
 * errno, and it is removed. */
int segment_maker_write_piece(struct segment_pool *p) MUST_USE;
/* It gets its header and its name; NULL with errno, and it is removed. */
struct segment *segment_maker_finish(struct segment_pool *p, bool is_reserve) MUST_USE;
/* If one is in the making it is removed. */
void segment_maker_cancel(struct segment_pool *p);

#endif

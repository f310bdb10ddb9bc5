/*
 * segment_maker: makes the file of a new segment, in bounded pieces, so that commits can be
 * written in between.  At most one is being made at a time (p->making).  For the segment pool
 * only, which decides when one is made and whether the disk has room.
 */
#ifndef SPOOL_SEGMENT_MAKER_H
#define SPOOL_SEGMENT_MAKER_H

#include "spool/segment_pool_types.h"

/* Creates an empty file; -1 with errno. */
int segment_maker_begin(struct segment_pool *p) MUST_USE;
/* Writes and syncs the next piece of zeros, so that later syncs of frames need not allocate blocks.
 * -1 with errno: the file is removed. */
int segment_maker_write_piece(struct segment_pool *p) MUST_USE;
/* Writes the header and gives the file its name.  NULL with errno: the file is removed. */
struct segment *segment_maker_finish(struct segment_pool *p, bool is_reserve) MUST_USE;
/* Removes the file that is being made, if there is one. */
void segment_maker_cancel(struct segment_pool *p);

#endif

/*
 * segment_space: does the disk have room for a new segment?  All users get the same answer: the
 * part of the segment that is being made is on the disk already.  Purposes differ in how much they
 * must leave free.
 */
#ifndef SPOOL_SEGMENT_SPACE_H
#define SPOOL_SEGMENT_SPACE_H

#include "spool/segment_pool_types.h"

struct segment_space {
	uint64_t have;                   /* free bytes of the disk */
	uint64_t keep;                   /* must stay free, for this purpose */
	uint64_t need;                   /* for the rest of a new segment */
	bool is_unknown;                 /* the free space is not known: all others are 0 */
};

/* 0: there is room.  -1 with errno: ENOSPC, or the free space is not known (is_unknown). */
int segment_space_find(
    const struct segment_pool *p, enum segment_purpose purpose, struct segment_space *out) MUST_USE;
/* The same; logs once that a purpose finds no room any more. */
int segment_space_check(struct segment_pool *p, enum segment_purpose purpose) MUST_USE;
/* Is the next segment that is made the reserve?  The one to have ready comes first, unless the disk
 * has only room for a reserve. */
bool segment_space_is_for_reserve(const struct segment_pool *p);

/* What must stay free on a disk of so many bytes (queue.minimum_free). */
uint64_t segment_space_share_bytes(const struct segment_pool *p, uint64_t all);
/* What the free share and the first segment need at a start, on a disk of so many bytes. */
uint64_t segment_space_first_bytes(const struct segment_pool *p, uint64_t all);

#endif

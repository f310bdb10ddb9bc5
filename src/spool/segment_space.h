/*
 * segment_space: has the disk room for a new segment?  One answer for whoever asks: what there is
 * of the one in the making is on the disk already.
 */
#ifndef SPOOL_SEGMENT_SPACE_H
#define SPOOL_SEGMENT_SPACE_H

#include "spool/segment_pool.h"

struct segment_space {
	uint64_t have;                   /* bytes of the disk */
	uint64_t keep;                   /* must stay free, for this claim */
	uint64_t need;                   /* of the rest of a new segment */
	bool is_unknown;                 /* the disk does not say: all others are 0 */
};

/* -1 with errno: ENOSPC, or the disk does not say (is_unknown). */
int segment_space_find(
    const struct segment_pool *p, enum segment_purpose purpose, struct segment_space *out) MUST_USE;
/* The same; a claim that finds no room any more is told in the log, once. */
int segment_space_check(struct segment_pool *p, enum segment_purpose purpose) MUST_USE;
/* Is the next one that is made the reserve?  The one that is ready comes first, unless the disk has
 * only room for a reserve. */
bool segment_space_is_for_reserve(const struct segment_pool *p);

/* Of a disk of so many bytes: what is to stay free (queue.minimum_free). */
uint64_t segment_space_share_bytes(const struct segment_pool *p, uint64_t all);
/* At a start, of a disk of so many bytes: what the free share and the first segment need. */
uint64_t segment_space_first_bytes(const struct segment_pool *p, uint64_t all);

#endif

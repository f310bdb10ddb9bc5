/*
 * damage_copies: copies of damaged ranges of segments (damaged-GENERATION-OFFSET; beside a copy of
 * another length damaged-GENERATION-OFFSET-END), for a person to examine.  They are collected while
 * the log is read and written when the start goes on, so that a start that is refused changes
 * nothing.  A copy gets its name when it is durable: a copy that exists was logged by a start that
 * went on.  A segment with a range that is not copied is not used again: when it is freed its file
 * is set aside (is_uncopied).
 */
#ifndef SPOOL_DAMAGE_COPIES_H
#define SPOOL_DAMAGE_COPIES_H

#include "spool/segment.h"

struct segment_pool;

enum { DAMAGE_COPIES_MAX = 64, DAMAGE_COPIES_NAME_BYTES = 64 };

struct damage_copies {
	struct damage_copies_stretch {
		struct segment *segment;         /* open until damage_copies_write */
		uint32_t from, to;
	} stretches[DAMAGE_COPIES_MAX];
	unsigned count;
	/* ranges above DAMAGE_COPIES_MAX: they are not copied now */
	unsigned over_limit;
	unsigned skipped;                /* all ranges that are not copied now */
	int error;                       /* it is not known whether a copy exists */
	char unchecked[DAMAGE_COPIES_NAME_BYTES]; /* the name that could not be inspected */
};

/* 1: a copy of the range exists; 0: there is none; -1 with errno: that is not known.  In each case
 * name_out is the name that was inspected. */
int damage_copies_find(struct fsio *io, const struct damage_copies_stretch *s,
    char name_out[DAMAGE_COPIES_NAME_BYTES]) MUST_USE;
/* It is not known whether a copy exists, because of errno.  If that is accepted the range is not
 * copied; otherwise the start must be refused, with the first such name and error. */
void damage_copies_set_unsure(struct damage_copies *k, const struct damage_copies_stretch *s,
    const char *name, bool is_accepted);
/* Adds a range to be copied; one above the maximum is skipped. */
void damage_copies_add(struct damage_copies *k, const struct damage_copies_stretch *s);
/* This start does not copy the range; the caller logs it. */
void damage_copies_skip(struct damage_copies *k, const struct damage_copies_stretch *s);
/* Copies, syncs and names all ranges, as far as the disk has room beside the free share and a first
 * segment.  Each range that is not copied is logged with the reason; the next start tries again if
 * the segment still exists. */
void damage_copies_write(struct damage_copies *k, struct segment_pool *pool);
/* Is this the name of a copy that an earlier start did not finish?  It is to be removed. */
bool damage_copies_is_unfinished(struct str name) MUST_USE;

#endif

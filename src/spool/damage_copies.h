/*
 * damage_copies: copies of damaged stretches of segments (damaged-GENERATION-OFFSET, and beside one
 * of another length damaged-GENERATION-OFFSET-END), for a person to look at.  They are collected
 * while the log is read, and written when the start goes on, so that a refused start changes
 * nothing.  A copy gets its name when it is durable: one that is there was told of by a start that
 * went on.  A segment with a stretch that is not copied is not used again: when it is freed its
 * file is set aside (is_uncopied).
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
	unsigned over_limit;             /* more than DAMAGE_COPIES_MAX: they are not copied now */
	unsigned skipped;                /* of all, those that are not copied now */
	int error;                       /* whether there are copies is not known */
	char unchecked[DAMAGE_COPIES_NAME_BYTES]; /* the name that could not be looked at */
};

/* 1: there is a copy of it; 0: there is none; -1 with errno: that cannot be told.  In any case
 * name_out is the name that was looked at. */
int damage_copies_find(struct fsio *io, const struct damage_copies_stretch *s,
    char name_out[DAMAGE_COPIES_NAME_BYTES]) MUST_USE;
/* Whether there is a copy cannot be told, for errno.  Where that is accepted none is made; else the
 * start must not go on, for this name and error: the first one counts. */
void damage_copies_set_unsure(struct damage_copies *k, const struct damage_copies_stretch *s,
    const char *name, bool is_accepted);
void damage_copies_add(struct damage_copies *k, const struct damage_copies_stretch *s);
/* This start does not copy it, which the caller tells. */
void damage_copies_skip(struct damage_copies *k, const struct damage_copies_stretch *s);
/* Copies, syncs and names all, as far as the disk has room beside the free share and a segment to
 * begin with.  What is not copied is told with the reason; the next start tries again, if the
 * segment is still there. */
void damage_copies_write(struct damage_copies *k, struct segment_pool *pool);
/* A copy that a start did not finish: to be removed. */
bool damage_copies_is_unfinished(struct str name) MUST_USE;

#endif

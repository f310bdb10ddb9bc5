/*
 * kept: copies of damaged stretches of segments (damaged-GENERATION-OFFSET, and beside one of
 * another length damaged-GENERATION-OFFSET-END), for a person to look at.  They are collected while
 * the log is read, and written when the start goes on, so that a refused start changes nothing.  A
 * copy gets its name when it is durable: one that is there was told of by a start that went on.
 */
#ifndef QUEUE_KEPT_H
#define QUEUE_KEPT_H

#include "queue/segment.h"

enum { KEPT_MAX = 64, KEPT_NAME_BYTES = 64 };

struct kept {
	struct kept_stretch {
		const struct segment *segment;   /* open until kept_write */
		uint32_t from, to;
	} item[KEPT_MAX];
	unsigned count;
	unsigned others;                 /* beyond KEPT_MAX: they are not copied */
	int error;                       /* whether there are copies is not known */
};

/* Is there a copy of it?  Its name is in name_out, in any case.  Where that cannot be told the
 * error is kept: the start must not go on. */
bool kept_is_known(struct kept *k, struct fsio *io, const struct kept_stretch *s,
    char name_out[KEPT_NAME_BYTES]) MUST_USE;
void kept_add(struct kept *k, const struct kept_stretch *s);
/* Copies, syncs and names all.  What cannot be copied is told; the next start tries again. */
void kept_write(struct kept *k, struct fsio *io);
/* A copy that a start did not finish: to be removed. */
bool kept_is_unfinished(struct str name) MUST_USE;

#endif

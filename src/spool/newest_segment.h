/*
 * newest_segment: a file of the spool that says which segment of the log is the newest that was
 * begun.  Each other segment is named by the one behind it; this one by nothing else.  It is
 * written once per segment, in place, as one sector: a power cut leaves what it said before or what
 * it says now.
 */
#ifndef SPOOL_NEWEST_SEGMENT_H
#define SPOOL_NEWEST_SEGMENT_H

#include "spool/segment.h"

#define NEWEST_SEGMENT_NAME "newest-segment"

struct newest_segment {
	struct fsio *io;
	bool is_recorded;                /* the file durably says what stands here */
	uint64_t generation;             /* 0: none was begun yet */
	uint32_t slot;                   /* of its file */
	bool is_named;                   /* the file has its name, durably */
	bool is_foreign;                 /* not a file of ours: it is neither read nor written */
	bool is_unknown;                 /* it is there, damaged or foreign: what it said is lost */
};

enum newest_segment_state {
	NEWEST_SEGMENT_ABSENT,
	NEWEST_SEGMENT_GOOD,
	NEWEST_SEGMENT_DAMAGED,
	NEWEST_SEGMENT_FOREIGN
};

/* When the directory is synced.  GOOD: it says.  ABSENT: also where it was never written, for the
 * power was cut.  -1 with errno: it could not be read, so nothing is known. */
int newest_segment_read(struct newest_segment *n, enum newest_segment_state *state_out) MUST_USE;
/* From now on the file durably says g, or that there is none (NULL).  What cannot be written is
 * logged, and stops nothing: then a later start may not notice that g is missing. */
void newest_segment_set(struct newest_segment *n, const struct segment *g);

#endif

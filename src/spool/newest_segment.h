/*
 * newest_segment: a file of the spool that records which segment of the log is the newest one that
 * was begun.  Every other segment is named by the seal of the next one; the newest is named only
 * here.  The file is written once per segment, in place, as one sector: a power cut leaves either
 * the old or the new content.
 */
#ifndef SPOOL_NEWEST_SEGMENT_H
#define SPOOL_NEWEST_SEGMENT_H

#include "spool/segment.h"

#define NEWEST_SEGMENT_NAME "newest-segment"

struct newest_segment {
	struct fsio *io;
	bool is_recorded;                /* the file durably holds these values */
	uint64_t generation;             /* 0: none was begun yet */
	uint32_t slot;                   /* of its file */
	bool is_named;                   /* the name of the file is durable */
	/* a file that does not belong to the spool: it is neither read nor written */
	bool is_foreign;
	bool is_unknown;                 /* it exists, damaged or foreign: its content is lost */
};

enum newest_segment_state {
	NEWEST_SEGMENT_ABSENT,
	NEWEST_SEGMENT_GOOD,
	NEWEST_SEGMENT_DAMAGED,
	NEWEST_SEGMENT_FOREIGN
};

/* To be called when the directory is synced.  GOOD: n holds the content of the file.  ABSENT: also
 * when a power cut prevented its first write.  -1 with errno: it could not be read, so nothing is
 * known. */
int newest_segment_read(struct newest_segment *n, enum newest_segment_state *state_out) MUST_USE;
/* From now on the file durably records g, or that there is none (NULL).  A failure to write is
 * logged and stops nothing; then a later start may not notice that g is missing. */
void newest_segment_set(struct newest_segment *n, const struct segment *g);

#endif

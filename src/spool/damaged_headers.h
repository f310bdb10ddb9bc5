/*
 * damaged_headers: segments whose header is damaged.  The tag stands in their first frame as well,
 * and what the seals of the others say places them: the one that a seal names by sequence number,
 * or the newest.  Frames of a former use of the file are older than all that is needed, so they are
 * never taken for live ones.
 */
#ifndef SPOOL_DAMAGED_HEADERS_H
#define SPOOL_DAMAGED_HEADERS_H

#include "spool/replay.h"

/* A segment that may be one, opened; the verdict on its header was BAD. */
struct damaged_header {
	struct damaged_header *next;
	struct segment *segment;         /* the listing's; generation 0: not placed */
	struct segment_mark mark;        /* as far as it can be read */
	bool has_bad_first;              /* the first frame is damaged too: it cannot be placed */
	bool has_seal;
	struct frame_seal seal;
	uint64_t seal_sequence;          /* sequence number of its seal */
	uint64_t first;                  /* sequence numbers of its whole frames */
	uint64_t last;
	unsigned frames;
};

/* Reads it, and puts it into the list.  -1 with errno, told: it cannot be read.  0: is_segment_out
 * says whether there is a frame in it. */
int damaged_headers_examine(struct replay *r, struct segment *g, struct damaged_header **list,
    bool *is_segment_out) MUST_USE;

void damaged_headers_clear(struct damaged_header **list);

/*
 * Gives each case that can be placed its generation.  -1 with errno, told: ENOTRECOVERABLE, one
 * that cannot may hold messages, and the start does not accept that; else a seal cannot be read.
 */
int damaged_headers_assign(struct replay *r, struct damaged_header *damaged,
    struct segment *const *good, size_t good_count) MUST_USE;

#endif

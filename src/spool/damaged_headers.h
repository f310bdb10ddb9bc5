/*
 * damaged_headers: finds the generation of segments whose header is damaged.  Their first frame
 * holds the tag as well, and the seals of the other segments give the place: a segment is the one
 * whose last sequence number a seal names, or the newest one.  Frames of an earlier use of the file
 * are older than all that is needed, so they are never taken for live ones.
 */
#ifndef SPOOL_DAMAGED_HEADERS_H
#define SPOOL_DAMAGED_HEADERS_H

#include "spool/replay_types.h"

/* An open file that may be a segment; its header was found to be bad. */
struct damaged_header {
	struct damaged_header *next;
	struct segment *segment;         /* owned by the recovery; generation 0: not known */
	struct segment_mark mark;        /* as far as it can be read */
	/* the first frame is damaged too: its generation cannot be found */
	bool has_bad_first;
	bool has_seal;
	struct frame_seal seal;
	uint64_t seal_sequence;          /* sequence number of its seal */
	uint64_t first;                  /* sequence numbers of its undamaged frames */
	uint64_t last;
	unsigned frames;
};

/* Reads the file and adds it to the list.  -1 with errno, logged: it cannot be read.  0:
 * *is_segment_out says whether it contains a frame. */
int damaged_headers_examine(struct replay *r, struct segment *g, struct damaged_header **list,
    bool *is_segment_out) MUST_USE;

/* Frees the list; the segments stay. */
void damaged_headers_clear(struct damaged_header **list);

/*
 * Gives each listed segment its generation, where that can be found.  -1 with errno, logged:
 * ENOTRECOVERABLE: one whose generation cannot be found may hold messages, and the start does not
 * accept damage; any other errno: a seal cannot be read.
 */
int damaged_headers_assign(struct replay *r, struct damaged_header *damaged,
    struct segment *const *good, size_t good_count) MUST_USE;

#endif

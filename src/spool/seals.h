/*
 * seals: the first frame of a segment, which names the segment before it, and what can be found out
 * when it is damaged.  That a seal is absent proves nothing by itself: a power cut may have torn
 * it.
 */
#ifndef SPOOL_SEALS_H
#define SPOOL_SEALS_H

#include "spool/segment.h"

enum seal_state {
	/* never written, or torn: its place holds zeros, or a frame of the previous use */
	SEAL_NONE,
	SEAL_VALID,
	SEAL_DAMAGED,                    /* or its content is impossible */
	SEAL_UNREAD,                     /* it is not known whether there is one: errno */
};

/* Reads the start of the segment.  SEAL_VALID: *out and its sequence number are set. */
enum seal_state seals_read(struct fsio *io, const struct segment *g, struct frame_seal *out,
    uint64_t *sequence_out) MUST_USE;
/* The same for the bytes of the file; the result is never SEAL_UNREAD. */
enum seal_state seals_find(const struct segment *g, struct str bytes, struct frame_seal *out,
    uint64_t *sequence_out) MUST_USE;

/* A summary of the headers of all frames of this use. */
struct seals_summary {
	bool has_frame;
	uint64_t first;                  /* sequence number of the first frame */
	uint64_t first_durable;          /* what was durable when that frame was written */
	/* the highest sequence number that a frame records as durable */
	uint64_t durable;
	size_t last_at;                  /* offset of the last frame */
};

/* Fills in the summary from the bytes of the file. */
void seals_scan(const struct segment *g, struct str bytes, struct seals_summary *out);
/* Was the seal durable?  A later write shows it; the frames of the first write, which a power cut
 * may have torn, show nothing. */
bool seals_was_durable(const struct seals_summary *s);
/* Does the place of the seal hold something other than zeros or a frame of any use? */
bool seals_is_bad_start(const struct segment *g, struct str bytes);

#endif

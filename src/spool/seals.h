/*
 * seals: the first frame of a segment, which names the one before it, and what can be told of it
 * where it is damaged.  One that is not there proves nothing by itself: a power cut may have torn
 * it.
 */
#ifndef SPOOL_SEALS_H
#define SPOOL_SEALS_H

#include "spool/segment.h"

enum seal_state {
	/* never written, or torn: zeros stand there, or a frame of the use before */
	SEAL_NONE,
	SEAL_VALID,
	SEAL_DAMAGED,                    /* or what it says cannot be */
	SEAL_UNREAD,                     /* whether there is one is not known: errno */
};

/* Reads the head of the segment.  SEAL_VALID: *out and its sequence number are set. */
enum seal_state seals_read(struct fsio *io, const struct segment *g, struct frame_seal *out,
    uint64_t *sequence_out) MUST_USE;
/* The same, of the bytes of the file; it says nothing of SEAL_UNREAD. */
enum seal_state seals_find(const struct segment *g, struct str bytes, struct frame_seal *out,
    uint64_t *sequence_out) MUST_USE;

/* What the headers of the frames of this use say, the first one's and all. */
struct seals_summary {
	bool has_frame;
	uint64_t first;                  /* sequence number of the first one */
	uint64_t first_durable;          /* what was durable when it was written */
	uint64_t durable;                /* the highest that one of them knew as durable */
	size_t last_at;                  /* where the last one begins */
};

void seals_scan(const struct segment *g, struct str bytes, struct seals_summary *out);
/* Was the seal durable?  A later write says so; in the first one, which a power cut may have torn,
 * no frame knows of another. */
bool seals_was_durable(const struct seals_summary *s);
/* Stands where the seal belongs neither a frame, of whatever use, nor zeros? */
bool seals_is_bad_start(const struct segment *g, struct str bytes);

#endif

/*
 * replay_types: what a start has read of the log so far: the end of each segment, and what all
 * segments together show of freed, missing and damaged ones.  The files of recovery fill it in one
 * after the other; recovery owns it, and nothing of it is left after the start.
 */
#ifndef SPOOL_REPLAY_TYPES_H
#define SPOOL_REPLAY_TYPES_H

#include "spool/damage_copies.h"
#include "spool/kept_envelopes.h"
#include "spool/seals.h"
#include "spool/spool_internal.h"

enum replay_kind {
	REPLAY_OPEN,                     /* all its undamaged frames are read */
	REPLAY_SEALED,                   /* those before the end that its seal records */
	REPLAY_VOIDED,                   /* none: a later segment was begun in its place */
	/* none: it is not needed, and the segment after it is gone */
	REPLAY_FREED,
};

struct lost_messages;

struct replay_end {
	enum replay_kind kind;
	struct frame_seal seal;          /* when sealed */
	uint64_t voided_by;              /* when voided: sequence number of the later seal */
	enum seal_state state;           /* of its own first frame */
	struct frame_seal own_seal;      /* SEAL_VALID: it names the segment before this one */
	uint64_t sequence;               /* its sequence number */
};

struct replay {
	struct spool *spool;
	struct replay_end *ends;         /* per segment */
	uint64_t last_sequence;
	struct frame_seal last;          /* of the last segment that has frames */
	uint64_t newest_seal;            /* the newest generation that has or had a seal */
	/* the newest generation in which nothing was ever durable */
	uint64_t unused;
	struct damage_copies damage_copies; /* damaged ranges, copied when the start goes on */
	struct segment_mark mark;        /* of all headers; is_known: the newest has one */
	uint64_t newest_header;          /* its generation */
	unsigned body_count;             /* body files of messages in the directory */
	bool has_loss;                   /* acknowledged messages are missing */
	bool is_log_lost;                /* nothing is left of a log that existed */
	/* missing or truncated segments that the mark has no room for */
	unsigned unlisted;
	struct lost_messages *lost_messages; /* what is known of lost messages; or NULL */
	struct kept_envelopes envelopes; /* of the messages that were read */
	char *buffer;                    /* for the content of a segment */
	size_t buffer_bytes;
};

#endif

/*
 * replay: applies the frames of segments to the index, oldest first.  The seal at the start of a
 * segment records where the one before it really ended; whatever was written between is void.
 * Bytes that are no frame are skipped: they are copied if something that was acknowledged is
 * missing, and ignored if they are the remains of an unfinished write.  It runs during a start
 * only, and changes nothing on the disk.
 */
#ifndef SPOOL_REPLAY_H
#define SPOOL_REPLAY_H

#include "spool/damage_copies.h"
#include "spool/seals.h"
#include "spool/spool_internal.h"

enum replay_kind {
	REPLAY_OPEN,                     /* all its undamaged frames are read */
	REPLAY_SEALED,                   /* those before the end that its seal records */
	REPLAY_VOIDED,                /* none: a later segment was begun in its place */
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
	struct lost_messages
	    *lost_messages; /* what is known of lost messages; or NULL */
};

/* Finds out what is to be read of each segment.  -1 with errno, logged: a seal could not be
 * read. */
int replay_find_ends(
    struct replay *r, struct segment *const *segments, size_t count) MUST_USE;
/* Are any frames of the segment read? */
bool replay_is_read(const struct replay_end *end);
/* Reads a segment and moves it into the index or the pool.  -1 with errno, logged: it could not be
 * read or synced, or a newer version wrote it. */
int replay_segment(struct replay *r, struct segment *g, size_t number) MUST_USE;
/* Frees what the replay collected. */
void replay_clear(struct replay *r);

/* May a start that accepts damage go on after this error?  A shortage of the machine (EMFILE,
 * ENOMEM), or a wrong mode or owner (EACCES, EPERM), is no damage. */
bool replay_may_accept(int error);
/* Logs, with errno, why the start is refused, and what to do.  Returns -1, with the same errno.
 * what: a phrase that follows the name, like "cannot be opened". */
int replay_refuse_for(const char *name, const char *what) MUST_USE;
/* The same for a read: "cannot be read at offset N". */
int replay_refuse(const char *name, uint64_t offset) MUST_USE;
/* The same for what only a newer version can read: EPROTO. */
int replay_refuse_version(const char *name, uint64_t offset, uint32_t version) MUST_USE;

#endif

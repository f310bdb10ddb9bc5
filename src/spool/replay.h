/*
 * replay: applies the frames of segments to the index, oldest first.  The seal at the head of a
 * segment says where the one before it truly ends, and that whatever lies between them never was.
 * Bytes that are no frame are stepped over: kept aside when something that was acknowledged is
 * missing, dropped when they are the remains of an unfinished write.
 */
#ifndef SPOOL_REPLAY_H
#define SPOOL_REPLAY_H

#include "spool/damage_copies.h"
#include "spool/seals.h"
#include "spool/spool_internal.h"

enum replay_kind {
	REPLAY_OPEN,                     /* all whole frames of it are read */
	REPLAY_SEALED,                   /* those up to its seal */
	REPLAY_VOIDED,                /* none: a later segment was begun in its place */
	REPLAY_FREED,                    /* none: it is not needed, and what followed it is gone */
};

struct lost_messages;

struct replay_end {
	enum replay_kind kind;
	struct frame_seal seal;         /* when sealed */
	uint64_t voided_by;              /* when it never was: sequence number of the seal */
	enum seal_state state;           /* of its own first frame */
	struct frame_seal own_seal;     /* SEAL_VALID: it names the segment before this one */
	uint64_t sequence;               /* its sequence number */
};

struct replay {
	struct spool *spool;
	struct replay_end *ends;         /* per segment */
	uint64_t last_sequence;
	struct frame_seal last;         /* of the last segment that holds frames */
	uint64_t newest_seal;            /* the last generation that has one, or had */
	uint64_t unused;                 /* the last generation of which nothing was ever durable */
	struct damage_copies damage_copies; /* damaged stretches, copied when the start goes on */
	struct segment_mark mark;        /* of all headers; is_known: the newest has one */
	uint64_t newest_header;          /* its generation */
	unsigned body_count;             /* body files of messages in the directory */
	bool has_loss;                   /* acknowledged messages are missing */
	bool is_log_lost;                /* nothing is left of a log that was there */
	unsigned unlisted;               /* segments missing or cut that the mark has no room for */
	struct lost_messages
	    *lost_messages; /* what is known of such and of damaged ones; or NULL */
};

/* What is to be read of each segment; -1 with errno, told: a seal could not be read. */
int replay_find_ends(
    struct replay *r, struct segment *const *segments, size_t count) MUST_USE;
/* Are frames of it read at all? */
bool replay_is_read(const struct replay_end *end);
/* Of one that is read.  Takes g: into the index, or to the pool.  -1 with errno, told: it could not
 * be read or synced, or a newer version wrote it. */
int replay_segment(struct replay *r, struct segment *g, size_t number) MUST_USE;
void replay_clear(struct replay *r);

/* May a start that accepts damage go on behind it?  What the machine lacks now (EMFILE, ENOMEM), or
 * a mode or owner that is wrong (EACCES, EPERM), is no damage. */
bool replay_may_accept(int error);
/* Tells with errno why the start is refused, and what to do; always -1, with that errno.  what: to
 * follow the name, as "cannot be opened". */
int replay_refuse_for(const char *name, const char *what) MUST_USE;
/* The same of a read: "cannot be read at offset N". */
int replay_refuse(const char *name, uint64_t offset) MUST_USE;
/* The same for what only a newer version understands: EPROTO. */
int replay_refuse_version(const char *name, uint64_t offset, uint32_t version) MUST_USE;

#endif

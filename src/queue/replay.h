/*
 * replay: applies the frames of segments to the index, oldest first.  The seal at the head of a
 * segment says where the one before it truly ends, and that whatever lies between them never was.
 * Bytes that are no frame are stepped over: kept aside when something that was acknowledged is
 * missing, dropped when they are the remains of an unfinished write.
 */
#ifndef QUEUE_REPLAY_H
#define QUEUE_REPLAY_H

#include "queue/store.h"

enum replay_kind { REPLAY_OPEN, REPLAY_SEALED, REPLAY_NEVER_WAS };

struct replay_end {
	enum replay_kind kind;
	struct record_seal seal;         /* when sealed */
};

struct replay {
	struct spool *spool;
	struct replay_end *ends;         /* per segment */
	uint64_t last_sequence;
	struct record_seal last;         /* of the last segment that holds frames */
	unsigned kept;                   /* damaged stretches written aside */
};

void replay_find_ends(struct replay *r, struct segment *const *segments, size_t count);
/* Takes g: into the index, or to the pool.  -1 with errno: it could not be read or synced. */
int replay_segment(struct replay *r, struct segment *g, size_t number) MUST_USE;
void replay_clear(struct replay *r);

#endif

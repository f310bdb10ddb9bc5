/*
 * copies: what lives in the oldest segment is written anew: messages, each with its hold and its
 * states in one frame, notes, and entries of a newer version.  Messages are read by the upkeep
 * thread, a bounded number ahead; when one was read it is looked up again, for it may have moved or
 * gone, or something of it may be under way: then it is left for a later turn.  A copy must hold
 * all that was answered before it, so its states are those of that moment.
 */
#ifndef QUEUE_COPIES_H
#define QUEUE_COPIES_H

#include "queue/segment.h"

enum {
	COPIES_AHEAD_MAX = 64,           /* messages that are being read */
	COPIES_AHEAD_BYTES = 1 << 20,    /* of them; the first may have more */
};

struct spool;

struct copies {
	unsigned ahead;
	size_t ahead_bytes;
	int64_t next_ms;                 /* monotonic: one had no room, none is made before; or 0 */
};

/* Begins what there is room for; it comes again with each answer. */
void copies_go_on(struct spool *s, struct segment *g);

#endif

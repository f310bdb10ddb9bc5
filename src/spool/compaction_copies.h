/*
 * compaction_copies: what lives in the oldest segment is written anew: messages, each with its hold
 * and its states in one frame, notes, and entries of a newer version.  Messages are read by the
 * upkeep thread; when one was read it is looked up again, for it may have moved or gone, or
 * something of it may be under way: then it is left for the next pass.  A copy must hold all that
 * was answered before it, so its states are those of that moment.
 *
 * All that is being read, and all that was read and is not durable yet, is bounded together: mail
 * that comes meanwhile is written with no more than that before it.  The writer's answers bring the
 * next turns, so compaction is as fast as the disk.  A pass looks at each message of the segment
 * once; the next one begins when nothing is under way any more.
 */
#ifndef SPOOL_COMPACTION_COPIES_H
#define SPOOL_COMPACTION_COPIES_H

#include "spool/segment.h"

enum {
	COMPACTION_COPIES_AHEAD_MAX = 64, /* messages that are being read */
	COMPACTION_COPIES_BYTES_MAX =
	    1 << 20, /* being read, or not durable; the first may have more */
	COMPACTION_COPIES_CHECKS_MAX = 4096, /* messages that one turn of the loop looks at */
};

struct spool;

struct compaction_copies {
	unsigned ahead;                  /* with the thread */
	unsigned retries;                /* of them, those that could not be read the last time */
	size_t ahead_bytes;              /* what the copies of these will have */
	uint64_t waiting_bytes;          /* of copies that are appended and not answered */
	int64_t next_ms;                 /* monotonic: one had no room, none is made before; or 0 */
};

/* Begins what there is room for; it comes again with each answer.  While a loss is under way, or
 * a part of the segment cannot be read, the thread has one message at a time to read, so that its
 * other work waits for no more than that. */
void compaction_copies_run(struct spool *s, struct segment *g);

#endif

/*
 * compaction_copies: writes again what is live in the oldest segment: messages, each with its hold
 * and its statuses in one frame, notes, and entries of a newer version.  The upkeep thread reads
 * the messages.  After each read the message is looked up again: it may have moved or been removed,
 * or an append about it may be in progress; then it is left for the next pass.  A copy must contain
 * every change whose commit was answered before it, so it takes the statuses of the moment when it
 * is appended.
 *
 * One limit applies to all that is being read and all that was read and is not durable yet: new
 * mail never waits for more than that.  The writer's results start the next copies, so compaction
 * is as fast as the disk.  A pass looks at each message of the segment once; the next pass begins
 * when no copy is in progress any more.
 */
#ifndef SPOOL_COMPACTION_COPIES_H
#define SPOOL_COMPACTION_COPIES_H

#include "spool/segment.h"

enum {
	COMPACTION_COPIES_AHEAD_MAX = 64, /* messages that are being read */
	COMPACTION_COPIES_BYTES_MAX =
	    1 << 20, /* being read, or not durable; a single message may be larger */
	/* messages that are examined in one turn of the event loop */
	COMPACTION_COPIES_CHECKS_MAX = 4096,
};

struct spool;

struct compaction_copies {
	unsigned ahead;                  /* messages that the thread is to read */
	unsigned retries;                /* those among them that could not be read the last time */
	size_t ahead_bytes;              /* bytes of their copies */
	uint64_t waiting_bytes;          /* of copies that are appended and have no result yet */
	/* monotonic: a copy had no room, the next one is not made before; or 0 */
	int64_t next_ms;
};

/* Begins as many copies as there is room for; it is called again after each result.  While a
 * message is being set aside, or a part of the segment cannot be read, the thread reads one message
 * at a time, so that its other work waits for no more than that. */
void compaction_copies_run(struct spool *s, struct segment *g);

#endif

/*
 * readings: the loop's side of what is read: who asked, what goes to the reader and when, who is
 * told.  All that ask for a message while it waits to be read, is being read or is being told of
 * for the first time share one read.  What was read and is not told yet is bounded in count and
 * bytes, and so are the callbacks of one turn of the loop.  The segment that is read from is not
 * used again before the read ended; the message itself may move or go meanwhile.
 */
#ifndef QUEUE_READINGS_H
#define QUEUE_READINGS_H

#include "queue/reader.h"

enum {
	READINGS_AHEAD_MAX = 8,          /* with the reader, or read and not told */
	READINGS_AHEAD_BYTES = 2 << 20,  /* of them; the first may have more */
	READINGS_CALLS_PER_TURN = 32,    /* callbacks */
};

struct spool;

struct readings {
	struct reading_list waiting;     /* not with the reader yet, oldest first */
	struct reading_list read;        /* not told yet, oldest first */
	unsigned ahead;
	size_t ahead_bytes;
};

void readings_init(struct readings *all);
/* Nobody is told; the reader has stopped. */
void readings_clear(struct spool *s);
/* Tells of what was read, and hands the reader more. */
void readings_answer(struct spool *s);

#endif

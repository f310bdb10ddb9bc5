/*
 * message_reads: messages that are read for who asks: what goes to the reader and when, who is
 * told. All that ask for a message while it waits to be read, is being read or is being told of for
 * the first time share one read.  What was read and is not told yet is bounded in count and bytes,
 * and so are the callbacks of one turn of the loop.  The segment that is read from is not used
 * again before the read ended; the message itself may move or go meanwhile.
 */
#ifndef SPOOL_MESSAGE_READS_H
#define SPOOL_MESSAGE_READS_H

#include "base/tasks.h"
#include "spool/stored_message.h"

enum {
	SPOOL_READS_AHEAD_MAX = 8,         /* with the reader, read and not told, or to be closed */
	SPOOL_READS_AHEAD_BYTES = 2 << 20, /* of them; the first may have more */
	SPOOL_READS_CALLS_PER_TURN = 32,   /* callbacks */
};

struct spool;

TAILQ_HEAD(spool_reading_list, spool_reading);

/* One read of a message, for all that asked for it meanwhile: the frame, its checksums, the opening
 * of a body's file. */
struct spool_read_task {
	TAILQ_ENTRY(spool_read_task) link;
	struct task task;
	struct msgid id;
	struct spool_reading_list callers;
	struct segment *segment;         /* counts it in its readings; or NULL */
	bool is_ended;                   /* it is being told */
	/* what is to be read */
	struct stored_message_position position;
	bool in_file;
	uint64_t body_bytes;             /* of that file */
	/* what came of it */
	int error;
	bool is_of_body;                 /* the error */
	struct buf buffer;               /* the record's strings point into it */
	struct frame_entry record;
	int fd;                          /* of the body's file, or -1 */
};

TAILQ_HEAD(spool_read_task_list, spool_read_task);

struct spool_reads {
	struct spool_read_task_list waiting;     /* not with the reader yet, oldest first */
	struct spool_read_task_list read;        /* not told yet, oldest first */
	unsigned ahead;
	size_t ahead_bytes;
};

void spool_reads_init(struct spool_reads *all);
/* Nobody is told; the reader has stopped, and dropped what it had. */
void spool_reads_clear(struct spool *s);
/* Tells of what was read, and hands the reader more. */
void spool_reads_dispatch(struct spool *s);

#endif

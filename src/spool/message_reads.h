/*
 * message_reads: reads messages for the callers of spool_read: which read the reader thread gets,
 * and when; who is answered.  All callers that request a message while it waits to be read, is
 * being read, or is being answered for the first time share one read.  What was read and is not
 * answered yet is bounded in number and bytes; so is the number of callbacks in one turn of the
 * event loop.  The segment that is read is not used again before the read has ended; the message
 * itself may move or be removed meanwhile.
 */
#ifndef SPOOL_MESSAGE_READS_H
#define SPOOL_MESSAGE_READS_H

#include "base/tasks.h"
#include "spool/stored_message.h"

enum {
	SPOOL_READS_AHEAD_MAX = 8,         /* given to the reader, not answered, or to be closed */
	SPOOL_READS_AHEAD_BYTES = 2 << 20, /* of them; a single one may have more */
	SPOOL_READS_CALLS_PER_TURN = 32,   /* callbacks */
};

struct spool;

TAILQ_HEAD(spool_reading_list, spool_reading);

/* One read of a message, for all that requested it meanwhile: it reads the frame, checks its
 * checksums, and opens the body file. */
struct spool_read_task {
	TAILQ_ENTRY(spool_read_task) link;
	struct task task;
	struct msgid id;
	struct spool_reading_list callers;
	struct segment *segment;         /* counts it in its reads; or NULL */
	bool is_ended;                   /* callers are being answered */
	/* what is to be read */
	struct stored_message_position position;
	bool in_file;
	uint64_t body_bytes;             /* of the body file */
	/* results */
	int error;
	bool is_of_body;                 /* the error concerns the body file */
	struct buf buffer;               /* the record's strings point into it */
	struct frame_entry record;
	int fd;                          /* of the body file, or -1 */
};

TAILQ_HEAD(spool_read_task_list, spool_read_task);

struct spool_reads {
	struct spool_read_task_list waiting; /* not given to the reader yet, oldest first */
	struct spool_read_task_list read; /* not answered yet, oldest first */
	unsigned ahead;
	size_t ahead_bytes;
};

/* Prepares empty lists. */
void spool_reads_init(struct spool_reads *all);
/* Drops all reads without an answer; the reader has stopped and dropped its tasks. */
void spool_reads_clear(struct spool *s);
/* Answers the callers of finished reads, and gives the reader further ones. */
void spool_reads_dispatch(struct spool *s);

#endif

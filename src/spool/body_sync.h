/*
 * body_sync: makes body files durable before their messages join a batch: first the bytes, then the
 * name and the directory.  In the same pass the body is read: its checksums go into the message's
 * record, and a bare CR, a bare LF or a NUL in it is an error (EILSEQ), so that a body in a file is
 * checked like a body in a packet.  It runs as a thread of its own, so that small messages do not
 * wait for the sync of a large one; or it is called directly (body_sync_step).  Each commit goes on
 * to the writer, also one that failed: its result comes from there.
 */
#ifndef SPOOL_BODY_SYNC_H
#define SPOOL_BODY_SYNC_H

#include "spool/writer_types.h"

struct body_sync {
	struct spool_writer *writer;
	struct stall stall;
	bool is_thread;
	pthread_t thread;
	pthread_cond_t wake;
	/* under the writer's lock; each batch has one commit */
	struct batch_list waiting;       /* oldest first */
	bool is_stopping;
};

/* Prepares the struct; nothing runs yet. */
void body_sync_init(struct body_sync *b, struct spool_writer *w);
/* Starts the thread, if there is to be one.  -1 with errno. */
int body_sync_start(struct body_sync *b) MUST_USE;
/* Stops the thread.  All that waits goes to the writer, which must still be running. */
void body_sync_stop(struct body_sync *b);
/* Frees what body_sync_init made; the thread has stopped. */
void body_sync_clear(struct body_sync *b);
/* Queues the batch, which it owns from now on.  Its one commit has a body file. */
void body_sync_add(struct body_sync *b, struct batch *single);
/* Without a thread: makes durable all that waits. */
void body_sync_step(struct body_sync *b);

#endif

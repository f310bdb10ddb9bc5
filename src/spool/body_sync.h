/*
 * body_sync: makes bodies in files durable before their messages join a batch: the bytes, the name
 * and the directory.  In the same pass the body is read: its sums go into the record, and a bare CR
 * or LF or NUL in it is an error (EILSEQ), so that what comes in a file is checked as what comes in
 * a packet.  Runs as a thread of its own, so that small messages do not wait for the sync of a
 * large one, or by hand (body_sync_step).  Each goes on to the writer, also when it failed: the
 * answer comes from there.
 */
#ifndef SPOOL_BODY_SYNC_H
#define SPOOL_BODY_SYNC_H

#include "spool/writer.h"

struct body_sync {
	struct spool_writer *writer;
	struct stall stall;
	bool is_thread;
	pthread_t thread;
	pthread_cond_t wake;
	/* under the writer's lock; each of one commit */
	struct batch_list waiting;       /* oldest first */
	bool is_stopping;
};

void body_sync_init(struct body_sync *b, struct spool_writer *w);
int body_sync_start(struct body_sync *b) MUST_USE;
/* Hands all that waits to the writer, which still runs; joins. */
void body_sync_stop(struct body_sync *b);
void body_sync_clear(struct body_sync *b);
/* Takes the batch, whose one commit has a body file. */
void body_sync_add(struct body_sync *b, struct batch *single);
/* By hand: all that waits. */
void body_sync_step(struct body_sync *b);

#endif

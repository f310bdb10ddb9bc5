/*
 * body_sync: makes bodies in files durable before their messages join a batch: the bytes, the name
 * and the directory.  In the same pass the body is read: its sums go into the record, and a bare CR
 * or LF or NUL in it is an error (EILSEQ), so that what comes in a file is checked as what comes in
 * a packet.  Runs as a thread of its own, so that small messages do not wait for the sync of a
 * large one, or by hand (bodies_step).  Each goes on to the writer, also when it failed: the answer
 * comes from there.
 */
#ifndef SPOOL_BODY_SYNC_H
#define SPOOL_BODY_SYNC_H

#include "spool/writer.h"

struct bodies {
	struct writer *writer;
	struct stall stall;
	bool is_thread;
	pthread_t thread;
	pthread_cond_t wake;
	/* under the writer's lock; each of one commit */
	struct batch_list waiting;       /* oldest first */
	bool is_stopping;
};

void bodies_init(struct bodies *b, struct writer *w);
int bodies_start(struct bodies *b) MUST_USE;
/* Hands all that waits to the writer, which still runs; joins. */
void bodies_stop(struct bodies *b);
void bodies_clear(struct bodies *b);
/* Takes the batch, whose one commit has a body file. */
void bodies_add(struct bodies *b, struct batch *one);
/* By hand: all that waits. */
void bodies_step(struct bodies *b);

#endif

/*
 * writer_queues: what the event loop and body_sync hand to the writer, and what comes back, under
 * one lock: batches to be written, batches with their results, and jobs outside the log.
 */
#ifndef SPOOL_WRITER_QUEUES_H
#define SPOOL_WRITER_QUEUES_H

#include "spool/writer_types.h"

/* The event loop fills w->filling between these two calls. */
void writer_lock(struct spool_writer *w);
/* Wakes the writer if there is work for it. */
void writer_unlock(struct spool_writer *w);
/* Called by the writer: the batch has its results. */
void writer_add_done(struct spool_writer *w, struct batch *b);
/* Appends all finished batches to the list; each is given back with writer_reuse. */
void writer_take_done(struct spool_writer *w, struct batch_list *list);
/* Empties a batch, and keeps it for its next use or frees it. */
void writer_reuse(struct spool_writer *w, struct batch *b);

/* The following are done later, in order: */
/* s was the oldest segment of the log; now that is the one of generation `oldest`. */
void writer_free_segment(struct spool_writer *w, struct segment *s, uint64_t oldest);
/* Removes the body file. */
void writer_remove_body(struct spool_writer *w, struct msgid id);
/* Removes the files that were set aside of the message, whether they exist or not. */
void writer_remove_set_aside(struct spool_writer *w, struct msgid id);

#endif

/*
 * writer: makes batches durable: takes all that was appended since the last batch, gives each frame
 * its place, writes, syncs once, and hands the batch back with the results.  A write that failed is
 * never repeated: the segment is left as it is, and the next one begins with a seal that records
 * where the former really ends.  It runs as a thread, or is called directly (writer_step).  It
 * calls no callbacks: the event loop does.
 */
#ifndef SPOOL_WRITER_H
#define SPOOL_WRITER_H

#include "spool/writer_types.h"

/* Prepares the struct; recovery fills in the seal, the pool and the sequence number. */
void writer_init(struct spool_writer *w, struct fsio *io, bool is_thread);
/* Begins a segment, with the seal of the one before; *opened_out is that segment, for the index.
 * -1 with errno. */
int writer_begin(struct spool_writer *w, struct segment **opened_out) MUST_USE;
/* Starts the thread, if there is to be one.  -1 with errno. */
int writer_start(struct spool_writer *w) MUST_USE;
/* Publishes how much of the disk is free.  The writer does it each second, more often when space is
 * short; the event loop only if there is no thread: some file systems take long to answer. */
void writer_check_disk(struct spool_writer *w);
/* Writes what waits, and stops the thread. */
void writer_stop(struct spool_writer *w);
/* Frees what the writer owns. */
void writer_clear(struct spool_writer *w);
/* Without a thread: does one round of work. */
void writer_step(struct spool_writer *w);

/* Between these two calls the threads of the writer and of body_sync do nothing; the event loop may
 * append meanwhile. */
void writer_hold_start(struct spool_writer *w);
/* Ends this. */
void writer_release_start(struct spool_writer *w);
/* Such a thread calls it first. */
void writer_await_start(struct spool_writer *w);

#endif

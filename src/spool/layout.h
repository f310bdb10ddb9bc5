/*
 * layout: writes the frames of a batch to segments, in runs: each run is one write and one sync.  A
 * run that fails is made void before its commits are answered.  Body files are durable already
 * (spool/body_sync.h).  Only the writer calls this.
 */
#ifndef SPOOL_LAYOUT_H
#define SPOOL_LAYOUT_H

#include "spool/writer_types.h"

/* Gives each commit its result.  The commits of a run are handed back before the next run begins,
 * so that what was durable in time is answered in time.  Takes over the batch. */
void layout_write_batch(struct spool_writer *w, struct batch *b);
/* Makes void what a failed write left, if that was not possible at once and there is a
 * segment for it now. */
void layout_void_failed(struct spool_writer *w);
/* Writes the seal of the new segment without other frames.  0, or -1 with errno. */
int layout_write_seal(struct spool_writer *w, struct batch *b) MUST_USE;

#endif

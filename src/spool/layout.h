/*
 * layout: where a batch goes: runs of frames into segments, each run one write and one sync.  Body
 * files are durable already (bodies).
 */
#ifndef SPOOL_LAYOUT_H
#define SPOOL_LAYOUT_H

#include "spool/writer.h"

/* Every commit gets its answer; those of each run are handed back before the next one is begun:
 * what was durable in time is told in time.  The batch is not the caller's any more. */
void layout_write_batch(struct spool_writer *w, struct batch *b);
/* What a failed write left is made void, if that could not be done then and there is a segment for
 * it now. */
void layout_void_failed(struct spool_writer *w);
/* The virgin segment's seal alone; 0, or -1 with errno. */
int layout_write_seal(struct spool_writer *w, struct batch *b) MUST_USE;

#endif

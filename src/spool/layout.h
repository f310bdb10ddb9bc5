/*
 * layout: where a batch goes: runs of frames into segments, each run one write and one sync.  Body
 * files are durable already (bodies).
 */
#ifndef SPOOL_LAYOUT_H
#define SPOOL_LAYOUT_H

#include "spool/writer.h"

/* Every commit gets its answer; those of each run are handed back before the next one is begun:
 * what was durable in time is told in time.  The batch is not the caller's any more. */
void place_batch(struct writer *w, struct batch *b);
/* What a failed write left is made void, if that could not be done then and there is a segment for
 * it now. */
void place_void(struct writer *w);
/* The virgin segment's seal alone; 0, or -1 with errno. */
int place_seal(struct writer *w, struct batch *b) MUST_USE;

#endif

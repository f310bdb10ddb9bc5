/*
 * place: where a batch goes: runs of frames into segments, each run one write and one sync.  Body
 * files are durable already (bodies).
 */
#ifndef QUEUE_PLACE_H
#define QUEUE_PLACE_H

#include "queue/writer.h"

/* Every commit of the batch has its answer afterwards. */
void place_batch(struct writer *w, struct batch *b);
/* The virgin segment's seal alone; 0, or -1 with errno. */
int place_seal(struct writer *w, struct batch *b) MUST_USE;
/* Is there an active segment, or could one be had?  -1 with errno. */
int place_open(struct writer *w) MUST_USE;
/* Tells the loop what room there is. */
void place_report(struct writer *w);

#endif

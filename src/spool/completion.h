/*
 * completion: takes finished batches from the writer, applies to the index what became durable,
 * and calls the callback of each commit.  Callbacks may append again.  It runs in the event loop
 * only, and knows nothing of the disk.
 */
#ifndef SPOOL_COMPLETION_H
#define SPOOL_COMPLETION_H

#include "spool/spool_internal.h"

/* Handles all batches that the writer has finished. */
void completion_run(struct spool *s);
/* The time of the last commit that became durable, by clock_mono_ms; 0: the last result was a
 * failure of the disk, or nothing was stored yet. */
int64_t completion_stored_ms(const struct spool *s);

#endif

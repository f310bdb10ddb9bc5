/*
 * completion: applies what the writer made durable, and tells the callers.
 */
#ifndef SPOOL_COMPLETION_H
#define SPOOL_COMPLETION_H

#include "spool/spool_internal.h"

void completion_run(struct spool *s);
/* When something became durable last, clock_mono_ms; 0: what was answered last was not stored, or
 * nothing was yet. */
int64_t completion_stored_ms(const struct spool *s);

#endif

/*
 * losses: tells what is known of messages that a damaged spool has lost.  What is left of a damaged
 * record is not proven; what later statuses say is.
 */
#ifndef QUEUE_LOSSES_H
#define QUEUE_LOSSES_H

#include "queue/replay.h"

/* What is left of the record of a message, read from a damaged place. */
void losses_tell_message(const struct segment *g, uint32_t at, const struct record *r);

/* A status, where messages are missing: one of a message that the log does not hold is kept. */
void losses_see_status(struct replay *r, const struct spool_entry *e);
/* Names the recipients of missing messages that still waited by their last status. */
void losses_tell_missing(struct replay *r);
void losses_clear(struct replay *r);

#endif

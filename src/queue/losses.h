/*
 * losses: tells what is known of messages that a damaged spool has lost.  What is left of a damaged
 * record is not proven; what later statuses say is.
 */
#ifndef QUEUE_LOSSES_H
#define QUEUE_LOSSES_H

#include "queue/replay.h"

/* Which messages stand from there on in a damaged place, or in a file that is not read, as far as
 * what is left of their frames tells; but for those that are known (may be NULL). */
void losses_tell_messages(
    const struct segment *g, struct str bytes, uint32_t from, const struct index *known);

/* A status, where messages are missing: one of a message that the log does not hold is kept. */
void losses_see_status(struct replay *r, const struct spool_entry *e);
/* Names the recipients of missing messages that still waited by their last status. */
void losses_tell_missing(struct replay *r);
void losses_clear(struct replay *r);

#endif

/*
 * active_segment: the active segment of the log, and for whom it has room.
 */
#ifndef SPOOL_ACTIVE_SEGMENT_H
#define SPOOL_ACTIVE_SEGMENT_H

#include "spool/writer.h"

enum { ACTIVE_SEGMENT_SEAL_BYTES = 128 };      /* the first frame of a segment */

/* Is there an active segment, or could one be had?  -1 with errno. */
int active_segment_open(struct spool_writer *w) MUST_USE;
/* Makes sure that there is one with room for the commit; -1 with errno. */
int active_segment_make_room(struct spool_writer *w, const struct batch_commit *c) MUST_USE;
/* Has it room from there on? */
bool active_segment_fits(const struct spool_writer *w, const struct batch_commit *c, uint32_t at);
/* It stands up to here; the seal of the next one will say so. */
void active_segment_close(struct spool_writer *w);
/* Tells the loop what room there is. */
void active_segment_publish(struct spool_writer *w);

#endif

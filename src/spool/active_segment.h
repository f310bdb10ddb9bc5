/*
 * active_segment: the active segment of the log, and for whom it has room.
 */
#ifndef SPOOL_ACTIVE_SEGMENT_H
#define SPOOL_ACTIVE_SEGMENT_H

#include "spool/writer.h"

enum { LOG_ROOM_SEAL_BYTES = 128 };      /* the first frame of a segment */

/* Is there an active segment, or could one be had?  -1 with errno. */
int log_room_open(struct writer *w) MUST_USE;
/* Makes sure that there is one with room for the commit; -1 with errno. */
int log_room_make(struct writer *w, const struct commit *c) MUST_USE;
/* Has it room from there on? */
bool log_room_fits(const struct writer *w, const struct commit *c, uint32_t at);
/* It stands up to here; the seal of the next one will say so. */
void log_room_leave(struct writer *w);
/* Tells the loop what room there is. */
void log_room_report(struct writer *w);

#endif

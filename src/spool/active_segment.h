/*
 * active_segment: the segment of the log that is being written, and which commits still fit into
 * it.  Room is reserved in three steps: messages stop first, then reports, then statuses;
 * compaction may use all of it.  Only the writer calls this; what the event loop needs to know is
 * published in atomic fields of the writer.
 */
#ifndef SPOOL_ACTIVE_SEGMENT_H
#define SPOOL_ACTIVE_SEGMENT_H

#include "spool/writer_types.h"

enum { ACTIVE_SEGMENT_SEAL_BYTES = 128 };      /* the first frame of a segment */

/* Makes sure that there is an active segment, and takes one from the pool if there is none.  -1
 * with errno. */
int active_segment_open(struct spool_writer *w) MUST_USE;
/* Makes sure that the active segment has room for the commit, and changes to the next segment if
 * necessary.  -1 with errno: the commit cannot be stored. */
int active_segment_make_room(struct spool_writer *w, const struct batch_commit *c) MUST_USE;
/* Does the commit fit into the active segment from offset `at` on? */
bool active_segment_fits(const struct spool_writer *w, const struct batch_commit *c, uint32_t at);
/* Ends the active segment at the current offset; the seal of the next segment records this end. */
void active_segment_close(struct spool_writer *w);
/* Publishes for the event loop how much room there is. */
void active_segment_publish(struct spool_writer *w);

#endif

/*
 * segment_pool: the segments that hold nothing: one ready for use, some free, one being made, the
 * reserve, and those returned.  Only the writer calls it, except for the event loop before the
 * writer starts.  New files are filled with zeros in bounded pieces before they are needed, so that
 * a commit rarely waits for space.  Returned segments are made unreadable, oldest first: while an
 * older one can still be read, the statuses of its messages in a newer one are still needed.
 *
 * A segment that is made ahead, or for a message, leaves the free share of the disk unused.
 * Segments of another size than new ones (from an older version, or from a time when the disk had
 * another size) are removed.
 */
#ifndef SPOOL_SEGMENT_POOL_H
#define SPOOL_SEGMENT_POOL_H

#include "spool/segment_pool_types.h"

/* Closes and frees all segments of the pool; their files stay. */
void segment_pool_clear(struct segment_pool *p);
/* Gives a segment to the pool; it can still be read, and is made unreadable in its turn. */
void segment_pool_return(struct segment_pool *p, struct segment *s);
/* The same for the oldest segment of the log: from now on headers record that it is not needed any
 * more, and that the oldest of the log is the segment of generation `oldest`. */
void segment_pool_release(struct segment_pool *p, struct segment *s, uint64_t oldest);
/* Returns a segment without frames, with a new generation; NULL with errno. */
struct segment *segment_pool_take(struct segment_pool *p, enum segment_purpose purpose) MUST_USE;
/* Makes sure that one is ready, even if that takes long.  -1 with the errno of the obstacle, also
 * while the next attempt waits for its pause. */
int segment_pool_fill(struct segment_pool *p, enum segment_purpose purpose) MUST_USE;
/* A write into a new segment failed with errno, and not for the first time: neither used nor new
 * segments are tried for a moment. */
void segment_pool_pause(struct segment_pool *p);
/* While there is no segment for messages: the errno to refuse them with.  ENOSPC: there is no room;
 * another one: the free space is not known, or the disk does not accept what is written. */
int segment_pool_error(const struct segment_pool *p);
/* Bytes of the disk that segments of the pool take although they hold nothing. */
uint64_t segment_pool_idle_bytes(const struct segment_pool *p);
/* Is there one that needs no further space on the disk? */
bool segment_pool_is_ready(const struct segment_pool *p);
/* Does the disk have room for a new one? */
bool segment_pool_may_make(const struct segment_pool *p, enum segment_purpose purpose);
/* Is there work for segment_pool_work now? */
bool segment_pool_has_work(const struct segment_pool *p);
/* Does one bounded piece of work. */
void segment_pool_work(struct segment_pool *p);

#endif

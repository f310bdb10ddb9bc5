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

#include <stdatomic.h>

#include "spool/disk_retry.h"
#include "spool/segment.h"

/* What a segment is for: messages must leave the free share of the disk, reports and statuses half
 * of it; compaction may take the reserve when there is nothing else; the reserve itself is made
 * like a segment for reports. */
enum segment_purpose {
	SEGMENT_FOR_MESSAGE,
	SEGMENT_FOR_ANY,
	SEGMENT_FOR_COPY,
	SEGMENT_FOR_RESERVE
};
enum { SEGMENT_PURPOSES = 4 };

struct segment_pool {
	struct fsio *io;
	uint32_t bytes;                  /* of a new segment */
	atomic_uint minimum_free_percent; /* of the disk; set by the event loop */
	bool has_retry_pause;            /* a failed operation is tried again after a pause */
	uint64_t generation;             /* the last one that was given */
	uint32_t slot;                   /* of the next new file */
	struct segment_mark mark;        /* goes into each header that is written */
	uint64_t written_freed;          /* mark.freed as `newest` durably records it */
	unsigned written_missing;        /* the same for mark.missing_count */
	struct segment *newest;          /* of the log; NULL: it is empty, none can be missing */
	unsigned mark_writes;
	struct segment *ready;           /* its header is durable */
	struct segment *free;            /* durably unreadable */
	unsigned free_count;
	struct segment *reserve;         /* holds nothing; for compaction, which frees others */
	bool is_lent;                    /* compaction took the reserve */
	struct segment *other_sizes;     /* durably unreadable, and of another size */
	struct segment *returned;        /* oldest first */
	struct segment *making;
	uint32_t made_bytes;
	int64_t ahead_ms;                /* monotonic: none is made ahead before */
	struct disk_retry header_retry;  /* of used segments; failures: of the medium */
	struct disk_retry making_retry;
	struct disk_retry removal_retry;
	bool is_short[SEGMENT_PURPOSES]; /* it was logged that the disk has no room for one */
};

/* Closes and frees all segments of the pool; their files stay. */
void segment_pool_clear(struct segment_pool *p);
/* Gives a segment to the pool; it can still be read, and is made unreadable in its turn. */
void segment_pool_return(struct segment_pool *p, struct segment *s);
/* The same for the oldest segment of the log: from now on headers record that it is not needed any
 * more, and that the oldest of the log is the segment of generation `oldest`. */
void segment_pool_release(struct segment_pool *p, struct segment *s, uint64_t oldest);
/* Writes the mark into the newest segment, durably.  This is necessary before a generation becomes
 * unreadable, and when a missing one was accepted: otherwise a later start would miss it, because
 * other headers may be torn, and files removed.  -1 with errno. */
int segment_pool_write_mark(struct segment_pool *p) MUST_USE;
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

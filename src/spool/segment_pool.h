/*
 * segment_pool: the segments that hold nothing: one ready for use, some free, one in the making,
 * and those given back.  Works in the writer; zeroes new files in bounded pieces before they are
 * needed, so that a commit rarely waits for space.  Segments given back become unreadable oldest
 * first: while an older one can still be read, what a newer one says of its messages is still
 * needed.
 *
 * A segment that is made ahead, or for a message, leaves the disk its free share.  Segments of
 * another size than new ones (of an older version, or of a time when the disk had another size) are
 * removed.
 */
#ifndef SPOOL_SEGMENT_POOL_H
#define SPOOL_SEGMENT_POOL_H

#include <stdatomic.h>

#include "spool/disk_retry.h"
#include "spool/segment.h"

/* For whom a segment is: messages leave the disk its free share, reports and statuses half of
 * it; compaction may take the reserve when there is nothing else; the
 * reserve itself is made as for reports. */
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
	atomic_uint minimum_free_percent; /* of the disk; set by the loop */
	bool has_retry_pause;            /* a failed attempt is tried again later, not at once */
	uint64_t generation;             /* the last one given */
	uint32_t slot;                   /* of the next new file */
	struct segment_mark mark;        /* goes into each header that is written */
	uint64_t written_freed;          /* mark.freed, as far as `newest` durably says it */
	unsigned written_missing;        /* the same of mark.missing_count */
	struct segment *newest;          /* of the log; NULL: it is empty, none can be missed */
	unsigned mark_writes;
	struct segment *ready;           /* its header is durable */
	struct segment *free;            /* unreadable, durably */
	unsigned free_count;
	struct segment *reserve;         /* holds nothing; for compaction, which frees others */
	bool is_lent;                    /* compaction took it */
	struct segment *other_sizes;     /* unreadable, durably, and of another size */
	struct segment *returned;        /* oldest first */
	struct segment *making;
	uint32_t made_bytes;
	int64_t ahead_ms;                /* monotonic: none is made ahead before */
	struct disk_retry header_retry;     /* of those in use before; failures: of the medium */
	struct disk_retry making_retry;
	struct disk_retry removal_retry;
	bool is_short[SEGMENT_PURPOSES]; /* the log was told that the disk has no room for one */
};

void segment_pool_clear(struct segment_pool *p);
/* Still readable: is made unreadable in its turn. */
void segment_pool_return(struct segment_pool *p, struct segment *s);
/* The same for the oldest one of the log: from now on headers say that it is needed no more, and
 * that the oldest of the log is the segment of generation `oldest`. */
void segment_pool_release(struct segment_pool *p, struct segment *s, uint64_t oldest);
/* Before a generation can be read no more, or when one is missing and that was accepted, the newest
 * segment durably says so: else a later start would miss it.  Other headers may be torn, and files
 * removed.  -1 with errno. */
int segment_pool_write_mark(struct segment_pool *p) MUST_USE;
/* A segment without frames, with a new generation; NULL with errno. */
struct segment *segment_pool_take(struct segment_pool *p, enum segment_purpose purpose) MUST_USE;
/* Has one ready afterwards, whatever it takes; -1 with the errno that stands in the way, also while
 * the next try of that waits. */
int segment_pool_fill(struct segment_pool *p, enum segment_purpose purpose) MUST_USE;
/* What was written into a new segment failed with errno, and not for the first time: neither used
 * ones nor new ones are tried for a moment. */
void segment_pool_pause(struct segment_pool *p);
/* While messages find none: the errno to refuse with, ENOSPC for want of room; another one where
 * the disk does not say what room it has, or does not take what is written. */
int segment_pool_error(const struct segment_pool *p);
/* Bytes of the disk that its segments take though they hold nothing. */
uint64_t segment_pool_idle_bytes(const struct segment_pool *p);
/* Is there one without asking the disk for space? */
bool segment_pool_is_ready(const struct segment_pool *p);
/* Has the disk room for a new one? */
bool segment_pool_may_make(const struct segment_pool *p, enum segment_purpose purpose);
bool segment_pool_has_work(const struct segment_pool *p);
/* One bounded piece of work. */
void segment_pool_work(struct segment_pool *p);

#endif

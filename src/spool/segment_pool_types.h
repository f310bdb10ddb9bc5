/*
 * segment_pool_types: the segment pool as its parts and the writer see it: its segments, the mark
 * that their headers get, and when the next attempt on the disk may come.  Only the writer reads
 * and changes it, except for the event loop before the writer starts; minimum_free_percent is
 * atomic.
 */
#ifndef SPOOL_SEGMENT_POOL_TYPES_H
#define SPOOL_SEGMENT_POOL_TYPES_H

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

#endif

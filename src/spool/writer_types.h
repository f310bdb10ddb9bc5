/*
 * writer_types: the writer as its own parts and body_sync see it: what the event loop hands it and
 * gets back, under the lock; what all threads may read; and what only the writer uses.
 */
#ifndef SPOOL_WRITER_TYPES_H
#define SPOOL_WRITER_TYPES_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/stall.h"
#include "spool/batch.h"
#include "spool/newest_segment.h"
#include "spool/segment_pool_types.h"

/* What the writer does outside the log. */
struct writer_job {
	STAILQ_ENTRY(writer_job) link;
	struct segment *segment;         /* to be freed; NULL: a file is to be removed */
	/* for a segment: generation of the oldest one that is left */
	uint64_t oldest;
	struct msgid id;
	bool is_set_aside;               /* the files that were set aside of it, else its body */
};

struct spool_writer {
	struct fsio *io;
	struct stall stall;
	bool is_thread;
	int event_fd;
	pthread_t thread;
	pthread_mutex_t start;           /* held until the log may be written */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock */
	struct batch *filling;           /* used by the event loop while it holds the lock */
	struct batch_list done;          /* oldest first */
	struct batch_list spare;
	STAILQ_HEAD(writer_jobs, writer_job) jobs; /* oldest first */
	bool is_waiting;
	bool is_stopping;
	/* readable by all threads */
	atomic_bool is_full;             /* no room for messages, only reserves */
	atomic_int full_error;           /* the reason: ENOSPC, or the disk's error for writes */
	atomic_bool is_full_for_reports; /* no room for reports either */
	/* set by the event loop: what compaction still has to copy */
	atomic_uint compaction_bytes;
	atomic_uint spare_segments;
	atomic_uint unremoved_count;
	_Atomic uint64_t idle_bytes;     /* of segments that hold nothing */
	_Atomic uint64_t free_bytes, disk_bytes; /* of the disk, a moment ago; 0: not known */
	/* used by the writer only */
	bool is_space_unknown;           /* the free space is not known, which was logged */
	int64_t space_ms;                /* when the free space is checked next; monotonic */
	struct segment_pool pool;
	struct newest_segment newest_segment;
	struct segment *active;
	bool is_active_new;              /* nothing in the active segment is durable yet */
	struct disk_retry write_retry;   /* of frames */
	struct writer_jobs todo;         /* oldest first */
	struct writer_jobs unvoided;     /* bodies of refused records that are not void yet */
	bool is_void_pending;            /* no seal was written since the last failed write */
	struct writer_jobs unremoved;    /* files that the disk did not remove */
	struct disk_retry removal_retry;
	uint32_t at;                     /* where the next frame goes */
	struct frame_seal seal;          /* of the segment before the new one */
	uint64_t sequence;               /* the last one given */
	uint64_t durable;                /* the last one that is durable */
	int64_t newest_ms;
};

#endif

/*
 * writer: makes batches durable: takes all that was appended since the last batch, gives each frame
 * its place, writes, syncs once, and hands the batch back with the results.  A write that failed is
 * never repeated: the segment is left as it is, and the next one begins with a seal that records
 * where the former really ends.  It runs as a thread, or is called directly (writer_step).  It
 * calls no callbacks: the event loop does.
 */
#ifndef SPOOL_WRITER_H
#define SPOOL_WRITER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/stall.h"
#include "spool/batch.h"
#include "spool/newest_segment.h"
#include "spool/segment_pool.h"

enum { WRITER_FILE_NAME_BYTES = 48 };

struct writer_job;

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

/* Prepares the struct; recovery fills in the seal, the pool and the sequence number. */
void writer_init(struct spool_writer *w, struct fsio *io, bool is_thread);
/* Begins a segment, with the seal of the one before; *opened_out is that segment, for the index.
 * -1 with errno. */
int writer_begin(struct spool_writer *w, struct segment **opened_out) MUST_USE;
/* Starts the thread, if there is to be one.  -1 with errno. */
int writer_start(struct spool_writer *w) MUST_USE;
/* Publishes how much of the disk is free.  The writer does it each second, more often when space is
 * short; the event loop only if there is no thread: some file systems take long to answer. */
void writer_check_disk(struct spool_writer *w);
/* Writes what waits, and stops the thread. */
void writer_stop(struct spool_writer *w);
/* Frees what the writer owns. */
void writer_clear(struct spool_writer *w);
/* Without a thread: does one round of work. */
void writer_step(struct spool_writer *w);

/* Between these two calls the threads of the writer and of body_sync do nothing; the event loop may
 * append meanwhile. */
void writer_hold_start(struct spool_writer *w);
/* Ends this. */
void writer_release_start(struct spool_writer *w);
/* Such a thread calls it first. */
void writer_await_start(struct spool_writer *w);

/* The event loop fills w->filling between these two calls. */
void writer_lock(struct spool_writer *w);
/* Wakes the writer if there is work for it. */
void writer_unlock(struct spool_writer *w);
/* Called by the writer: the batch has its results. */
void writer_add_done(struct spool_writer *w, struct batch *b);
/* Appends all finished batches to the list; each is given back with writer_reuse. */
void writer_take_done(struct spool_writer *w, struct batch_list *list);
/* Empties a batch, and keeps it for its next use or frees it. */
void writer_reuse(struct spool_writer *w, struct batch *b);

/* The following are done later, in order: */
/* s was the oldest segment of the log; now that is the one of generation `oldest`. */
void writer_free_segment(struct spool_writer *w, struct segment *s, uint64_t oldest);
/* Removes the body file. */
void writer_remove_body(struct spool_writer *w, struct msgid id);
/* Removes the files that were set aside of the message, whether they exist or not. */
void writer_remove_set_aside(struct spool_writer *w, struct msgid id);

/* Writes the name of the body file, "1R8K3M7Q4TB2-1.body"; returns out. */
char *writer_body_name(struct msgid id, char out[WRITER_FILE_NAME_BYTES]);
/* "1R8K3M7Q4TB2-1.aside", "1R8K3M7Q4TB2-1.body.aside"; both return out. */
char *writer_set_aside_name(struct msgid id, char out[WRITER_FILE_NAME_BYTES]);
char *writer_set_aside_body_name(struct msgid id, char out[WRITER_FILE_NAME_BYTES]);

#endif

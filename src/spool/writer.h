/*
 * writer: makes batches durable: takes all that was appended since it last looked, gives each
 * frame its place, writes, syncs once, and hands the batch back with what happened.  What failed
 * to reach the disk is never tried again: the segment is left as it is, and the next one begins
 * with a seal that says where the former truly ends.  Runs as a thread, or by hand (writer_step).
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
	struct batch *filling;           /* the loop's, while it holds the lock */
	struct batch_list done;          /* oldest first */
	struct batch_list spare;
	STAILQ_HEAD(writer_jobs, writer_job) jobs; /* oldest first */
	bool is_waiting;
	bool is_stopping;
	/* readable by all */
	atomic_bool is_full;             /* no room for messages, only what is reserved */
	atomic_int full_error;           /* and why: ENOSPC, or what the disk says to writes */
	atomic_bool is_full_for_reports; /* no room for reports either */
	atomic_uint compaction_bytes;    /* set by the loop: what compaction has to copy yet */
	atomic_uint spare_segments;
	atomic_uint unremoved_count;
	_Atomic uint64_t idle_bytes;     /* of segments that hold nothing */
	_Atomic uint64_t free_bytes, disk_bytes; /* of the disk, a moment ago; 0: it does not say */
	/* the writer's own */
	bool is_space_unknown;           /* it does not say, as the log has it */
	int64_t space_ms;                /* when the disk is asked next; monotonic */
	struct segment_pool pool;
	struct newest_segment newest_segment;
	struct segment *active;
	bool is_active_new;              /* nothing in it is durable yet */
	struct disk_retry write_retry;      /* of frames */
	struct writer_jobs todo;         /* oldest first */
	struct writer_jobs unvoided;     /* bodies of refused records that may stand */
	bool is_void_pending;            /* no seal since the last write that failed */
	struct writer_jobs unremoved;    /* files that the disk did not remove */
	struct disk_retry removal_retry;
	uint32_t at;                     /* where the next frame goes */
	struct frame_seal seal;         /* of the segment before the virgin one */
	uint64_t sequence;               /* last given */
	uint64_t durable;                /* last that reached the disk */
	int64_t newest_ms;
};

/* seal, pool and sequence are filled in by recovery. */
void writer_init(struct spool_writer *w, struct fsio *io, bool is_thread);
/* Begins a segment, sealing the one before; it is handed out through opened_out. */
int writer_begin(struct spool_writer *w, struct segment **opened_out) MUST_USE;
int writer_start(struct spool_writer *w) MUST_USE;
/* How much of the disk is free is published.  The writer does it each second, more often when there
 * is little; the loop only where there is no thread: some file systems do not answer for long. */
void writer_check_disk(struct spool_writer *w);
/* Writes what waits, joins. */
void writer_stop(struct spool_writer *w);
/* Frees what is the writer's. */
void writer_clear(struct spool_writer *w);
/* By hand: one round. */
void writer_step(struct spool_writer *w);

/* The threads of writer and bodies do nothing before the second; the loop may append meanwhile. */
void writer_hold_start(struct spool_writer *w);
void writer_release_start(struct spool_writer *w);
/* In such a thread, first of all. */
void writer_await_start(struct spool_writer *w);

/* The loop fills w->filling between these. */
void writer_lock(struct spool_writer *w);
void writer_unlock(struct spool_writer *w);
/* By the writer: what is in it can be answered. */
void writer_add_done(struct spool_writer *w, struct batch *b);
/* All that is done goes to the end of the list; each batch is given back with writer_reuse. */
void writer_take_done(struct spool_writer *w, struct batch_list *list);
void writer_reuse(struct spool_writer *w, struct batch *b);

/* Later, in order: */
/* s was the oldest of the log; now that is the one of generation `oldest`. */
void writer_free_segment(struct spool_writer *w, struct segment *s, uint64_t oldest);
void writer_remove_body(struct spool_writer *w, struct msgid id);
/* Both names of what was put aside of it, whether they are there or not. */
void writer_remove_set_aside(struct spool_writer *w, struct msgid id);

/* "1R8K3M7Q4TB2-1.body"; returns out. */
char *writer_body_name(struct msgid id, char out[WRITER_FILE_NAME_BYTES]);
/* "1R8K3M7Q4TB2-1.aside", "1R8K3M7Q4TB2-1.body.aside"; return out. */
char *writer_set_aside_name(struct msgid id, char out[WRITER_FILE_NAME_BYTES]);
char *writer_set_aside_body_name(struct msgid id, char out[WRITER_FILE_NAME_BYTES]);

#endif

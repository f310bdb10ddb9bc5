/*
 * spool: stores messages and the delivery status of their recipients durably; the contents of an
 * envelope are opaque to it.  Its state is the replay of a log of checksummed frames
 * (doc/SPOOL.md).  Each request is answered later, from spool_dispatch(), never from within the
 * requesting call, so that another store (a networked one) could implement the same calls.  All
 * calls are made by one thread, the queue's event loop; other threads write, sync and read: the
 * event loop does so only in spool_open.
 *
 * A message is appended; statuses follow for each recipient; it is removed when all its recipients
 * are settled.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <sys/queue.h>

#include "base/buf.h"
#include "base/disk_space.h"
#include "base/fsio.h"
#include "spool/spool_types.h"

struct spool;
struct spool_read_task;

struct spool_options {
	struct fsio *io;                 /* owned by the caller; must outlive the spool */
	uint32_t segment_bytes;          /* 0: the default, smaller on a small disk */
	uint32_t minimum_free_percent;   /* of the disk; below it no messages are accepted */
	uint32_t message_wait_ms;        /* 0: SPOOL_MESSAGE_WAIT_MS */
	uint32_t envelope_bytes;         /* that a start keeps; 0: KEPT_ENVELOPES_BYTES_MAX */
	uint32_t stall_ms;               /* 0: STALL_LOGGED_MS (base/stall.h) */
	bool threadless;                 /* no threads: spool_step() does the writer's work */
	bool accept_damage;              /* what cannot be read is set aside, not refused */
	/* the owner of the statuses, from the end of spool_open on (spool/spool_statuses.h); NULL:
	 * the spool keeps them, and spool_find returns them */
	spool_statuses_fn *statuses;
	void *statuses_arg;
};

/* Called by spool_open for each live message in log order, then for each note. */
struct spool_recovery {
	/* false: the caller cannot decode the envelope; the message is set aside and removed.
	 * true: an owner of the statuses keeps those of m from now on */
	bool (*message)(const struct spool_message *m, void *arg);
	void (*note)(struct str name, struct str value, void *arg);
	void *arg;
	/* or NULL: mail that is lost; what: the id of a message or a description */
	void (*lost)(struct str what, const char *text, void *arg);
	/* or NULL: writes sender and recipients for the log, from what is left of the envelope */
	void (*describe)(struct str envelope, struct buf *out, void *arg);
};

/*
 * Takes the lock, starts the threads, replays the log, begins a segment.  r may be NULL.  The
 * result is freed by spool_close.  NULL with errno, and nothing was changed: EALREADY, and only
 * then, another process has the spool open; otherwise the log names what failed.
 */
struct spool *spool_open(const struct spool_options *o, const struct spool_recovery *r) MUST_USE;
/* Writes what waits, ends the reads in progress, stops the threads, calls no callback; sets *s to
 * NULL. */
void spool_close(struct spool **s);

/* A descriptor that is readable when spool_dispatch has work. */
int spool_fd(const struct spool *s);
/* Runs the callbacks of all that became durable since the last call, and of a bounded number of
 * reads; the other reads follow soon, after the loop's other work.  Threadless: does the reads
 * first. */
void spool_dispatch(struct spool *s);
/* When spool_dispatch must be called although spool_fd is not readable: clock_mono_ms; 0: not
 * needed. */
int64_t spool_retry_ms(const struct spool *s);
/* Threadless: writes and syncs all that waits, and does one piece of background work. */
void spool_step(struct spool *s);

/*
 * Makes all entries durable together or none.  Everything is copied.  0: fn will be called, exactly
 * once, unless the spool is closed first; it cannot be cancelled, so arg must live until then.  -1
 * with errno, and nothing was accepted: EINVAL out of bounds, EEXIST the message exists, ENOENT no
 * such message, EMSGSIZE too large for a frame, EAGAIN too much is waiting, ENOSPC no room that
 * messages may use (statuses have a reserve).
 */
int spool_append(struct spool *s, const struct spool_batch *b) MUST_USE;
/* The free space of the disk, as the writer saw it last, and what a new segment for messages
 * needs. */
void spool_space(struct spool *s, struct disk_space *out);
/* May messages be accepted?  0, or the errno to refuse them with: ENOSPC, EAGAIN, or the disk's
 * error. */
int spool_admits(struct spool *s) MUST_USE;
/* Is there room for so many bytes of body files, beside the free share?  0, ENOSPC, EIO: not
 * known. */
int spool_admits_bodies(struct spool *s, uint64_t bytes) MUST_USE;
/* For how many bytes there is room; UINT64_MAX: the free space is not known. */
uint64_t spool_bodies_room(struct spool *s);
/* May reports be accepted?  They may use the free share of the disk that messages must leave, and
 * half of what statuses have in the last segment, so that a queue of failing mail can empty. */
int spool_admits_reports(struct spool *s) MUST_USE;
/* Sets the free share; it applies from the next message on. */
void spool_set_minimum_free(struct spool *s, uint32_t percent);

/* Returns a file without a name for a body above MESSAGE_CONTENT_MAX, which any process may fill.
 * -1 with errno: ENOSPC: the disk has less than its free share; EAGAIN: none is ready, and
 * spool_file_request (spool/body_files.h) waits for one.  Threadless: opened in this call. */
int spool_file(struct spool *s) MUST_USE;
/* The size of what was written to the file; -1 with errno. */
int spool_file_bytes(struct spool *s, int fd, uint64_t *bytes_out) MUST_USE;
/* Gives back a file that will not be appended. */
void spool_file_drop(struct spool *s, int fd);

struct spool_content {
	struct str envelope;
	struct str header;
	struct str body;                 /* empty when fd >= 0 */
	int fd;                          /* read-only, one for all callers; -1: inline */
	/* checksums of what fd holds; empty: 0.1.0 stored it, without */
	struct str sums;
};

/*
 * content NULL: error is the reason.  ENOENT: the spool has no such message.  EBADMSG: its record
 * is proven to be lost.  SPOOL_FAULT_BODY_MISSING, SPOOL_FAULT_BODY_TRUNCATED
 * (spool/spool_fault.h): its body is.  Any other error (EIO, EMFILE ...): it could not be read this
 * time.  If only the body cannot be read (is_of_body), content has the rest.  content and its
 * descriptor are valid during the call.
 */
typedef void spool_content_fn(const struct spool_content *content, int error, void *arg);

/* A read that its owner requested, a member of the owner's struct.  All zeros: none.  Only the
 * spool uses its members. */
struct spool_reading {
	TAILQ_ENTRY(spool_reading) link;
	struct spool_read_task *task;
	spool_content_fn *fn;
	void *arg;
	bool is_of_body;                 /* the error concerns the body file */
};

/*
 * Reads a message and checks it again.  A thread reads, one message after the other, in the order
 * of the requests, and once for all that request the same message meanwhile.  A disk that does not
 * respond stops the reads and nothing else.  fn is called from spool_dispatch, exactly once, unless
 * the read is cancelled.  r must not be in use by another read.
 */
void spool_read(
    struct spool *s, struct spool_reading *r, struct msgid id, spool_content_fn *fn, void *arg);
/* May be called in any state, any number of times: fn will not be called.  The owner may be freed
 * at once. */
void spool_read_cancel(struct spool_reading *r);
/* Is the read requested and not answered yet? */
bool spool_is_reading(const struct spool_reading *r);
/*
 * Reads what the descriptor holds, a piece at a time, in turn with the other tasks of that thread
 * (base/tasks.h), and compares it with the checksums.  fn is called once, from spool_dispatch,
 * unless the spool is closed first.  0: it matches; EBADMSG: it does not; any other error: it could
 * not be read.  The spool owns the descriptor from now on.
 */
void spool_check_body(struct spool *s, int fd, struct str sums, spool_done_fn *fn, void *arg);

/* What is durably known of a message; false: there is no such message. */
bool spool_find(struct spool *s, struct msgid id, struct spool_message *out) MUST_USE;

struct spool_stats {
	uint64_t messages;
	uint64_t live_bytes;             /* of records and body files */
	uint64_t segments;               /* in use, and free */
	uint64_t free_segments;
	uint64_t disk_free_bytes;
	uint64_t disk_total_bytes;
	uint64_t syncs;
	uint64_t commits;
	uint64_t failed;                 /* appends that were answered with an error */
	uint64_t quarantined;            /* damaged ranges that recovery found and logged */
	uint64_t known_damages;          /* those that an earlier start has logged */
	uint64_t set_aside;              /* files of messages that were set aside (ID-N.aside) */
	uint64_t unremoved;              /* files that the disk does not remove; tried again */
	int64_t sync_ms;                 /* total time spent in syncs */
};

/* Fills in the statistics. */
void spool_stats(struct spool *s, struct spool_stats *out);
/* The newest time of any stored id: new ids must be above it. */
int64_t spool_newest_ms(const struct spool *s);

#endif

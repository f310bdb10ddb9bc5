/*
 * spool: messages and what became of them, durably; opaque to what an envelope says.  State is the
 * replay of a log of checksummed frames (doc/SPOOL.md).  Everything is asked for and answered later
 * from spool_dispatch(), never from inside the asking call, so that another store (a networked one)
 * can stand behind the same calls.  One thread (the queue's loop) calls; others write, sync and
 * read: the loop does none of it but in spool_open.
 *
 * Life of a message: appended; statuses per recipient; gone when all its recipients are settled.
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
	struct fsio *io;                 /* stays the caller's; must outlive the spool */
	uint32_t segment_bytes;          /* 0: the usual, smaller on a small disk */
	uint32_t minimum_free_percent;   /* of the disk; below it no messages are taken */
	uint32_t message_wait_ms;        /* 0: SPOOL_MESSAGE_WAIT_MS */
	uint32_t stall_ms;               /* 0: STALL_LOGGED_MS (base/stall.h) */
	bool threadless;                 /* no writer thread: spool_step() does its work */
	bool accept_damage;              /* what cannot be read is set aside, not refused */
};

/* Called by spool_open for each live message in log order, then for each note. */
struct spool_recovery {
	/* false: the envelope means nothing to the caller; the message is set aside, and gone */
	bool (*message)(const struct spool_message *m, void *arg);
	void (*note)(struct str name, struct str value, void *arg);
	void *arg;
	/* or NULL: mail that is lost, by the id of a message or other words */
	void (*lost)(struct str what, const char *text, void *arg);
	/* or NULL: writes for the log whose message that is, by what is left of its envelope */
	void (*describe)(struct str envelope, struct buf *out, void *arg);
};

/*
 * Takes the lock, starts the threads, replays, seals.  NULL with errno, and nothing was changed:
 * EALREADY, and only then, another process owns it; else the log names what could not be done.
 */
struct spool *spool_open(const struct spool_options *o, const struct spool_recovery *r) MUST_USE;
/* Writes what waits, ends the reads under way, stops the threads, answers no one. */
void spool_close(struct spool **s);

/* Readable when spool_dispatch has something to say. */
int spool_fd(const struct spool *s);
/* Runs the callbacks of all that became durable since, and of a bounded number of reads; of the
 * others soon, after the loop's other work.  Threadless: reads first. */
void spool_dispatch(struct spool *s);
/* When it must be called although there is nothing to read from spool_fd: clock_mono_ms; 0: not. */
int64_t spool_retry_ms(const struct spool *s);
/* Threadless: writes and syncs all that waits, and one piece of background work. */
void spool_step(struct spool *s);

/*
 * Makes all entries durable together or none.  Everything is copied.  0: fn will be called, exactly
 * once, unless the spool is closed first; it cannot be cancelled, so arg must live until then.
 * -1 with errno, and nothing was taken: EINVAL out of bounds, EEXIST the message is there,
 * ENOENT no such message, EMSGSIZE too large for a frame, EAGAIN too much is waiting, ENOSPC no
 * room that messages may take (statuses have a reserve).
 */
int spool_append(struct spool *s, const struct spool_batch *b) MUST_USE;
/* What the disk has, as the writer saw it last, and what a new segment for messages would need. */
void spool_space(struct spool *s, struct disk_space *out);
/* May messages be taken?  0, or the errno to refuse with: ENOSPC, EAGAIN, or what the disk says. */
int spool_admits(struct spool *s) MUST_USE;
/* Room for so many bytes of body files, beside the free share?  0, ENOSPC, EIO: it is not known. */
int spool_admits_bodies(struct spool *s, uint64_t bytes) MUST_USE;
/* For how many bytes that is; UINT64_MAX: the disk does not say. */
uint64_t spool_bodies_room(struct spool *s);
/* May reports be taken?  They may use what the minimum of free disk keeps from messages, and half
 * of what statuses have in the last segment, so that a queue of failing mail empties. */
int spool_admits_reports(struct spool *s) MUST_USE;
/* Counts from the next message on. */
void spool_set_minimum_free(struct spool *s, uint32_t percent);

/* A nameless file for a body above MESSAGE_CONTENT_MAX, to be filled by anyone; -1 with errno:
 * ENOSPC when the disk has less than its free share, EAGAIN: none is ready, spool_file_request
 * (spool/body_files.h) waits for one.  Threadless: opened here. */
int spool_file(struct spool *s) MUST_USE;
/* How much was written to it; -1 with errno. */
int spool_file_bytes(struct spool *s, int fd, uint64_t *bytes_out) MUST_USE;
/* It will not be appended after all. */
void spool_file_drop(struct spool *s, int fd);

struct spool_content {
	struct str envelope;
	struct str header;
	struct str body;                 /* empty when fd >= 0 */
	int fd;                          /* read-only, one for all callees; -1: inline */
	struct str sums;                 /* of what fd holds; empty: stored by 0.1.0, without */
};

/*
 * content NULL, error says why.  ENOENT: the spool has no such message.  EBADMSG: its record is
 * proven to be gone.  SPOOL_FAULT_BODY_MISSING, SPOOL_FAULT_BODY_TRUNCATED (spool/spool_fault.h):
 * its body.  Anything else (EIO, EMFILE ...): it could not be read this time.  Where only the body
 * cannot be had (is_of_body), content has the rest.  Valid during the call, the descriptor too.
 */
typedef void spool_content_fn(const struct spool_content *content, int error, void *arg);

/* A read that its owner asked for, a member of the owner's struct.  All zeros: none.  Its members
 * are the spool's. */
struct spool_reading {
	TAILQ_ENTRY(spool_reading) link;
	struct spool_read_task *task;
	spool_content_fn *fn;
	void *arg;
	bool is_of_body;                 /* told with an error: of the body's file */
};

/*
 * What was read is checked again.  A thread reads, one message after the other, in the order in
 * which they were asked for, and once for all that ask for the same message meanwhile.  A disk that
 * stands still stops the reads and nothing else.  The answer comes from spool_dispatch, exactly
 * once, unless it is cancelled.  r must not be under way.
 */
void spool_read(
    struct spool *s, struct spool_reading *r, struct msgid id, spool_content_fn *fn, void *arg);
/* From any state, any number of times: fn will not be called.  The owner may go at once. */
void spool_read_cancel(struct spool_reading *r);
bool spool_is_reading(const struct spool_reading *r);
/*
 * Reads what a descriptor holds, a piece at a time, in turn with what else that thread does
 * (base/tasks.h), and compares it with the sums.  fn is told, once, from spool_dispatch, unless the
 * spool is closed first: 0 it is the same, EBADMSG it is not, else it could not be read.  The
 * descriptor is the spool's from now on.
 */
void spool_check_body(struct spool *s, int fd, struct str sums, spool_done_fn *fn, void *arg);

/* What is durably known of a message; false: not there. */
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
	uint64_t failed;                 /* appends answered with an error */
	uint64_t quarantined;            /* damaged places that recovery found and told */
	uint64_t known_damages;          /* those that an earlier start has told */
	uint64_t set_aside;              /* files of messages that were set aside (ID-N.aside) */
	uint64_t unremoved;              /* files that the disk does not remove; tried again */
	int64_t sync_ms;                 /* all time spent in syncs */
};

void spool_stats(struct spool *s, struct spool_stats *out);
/* Ids start above it: newest id time ever stored. */
int64_t spool_newest_ms(const struct spool *s);

#endif

/*
 * batch: the commits that were appended since the writer last took a batch: their frames as bytes,
 * and the callback of each.  The event loop fills a batch, the writer writes it and fills in the
 * results, the event loop calls the callbacks and uses the batch again.  The batch has no lock of
 * its own: its owner, or the writer's lock, protects it.
 */
#ifndef SPOOL_BATCH_H
#define SPOOL_BATCH_H

#include <sys/queue.h>

#include "spool/segment.h"

struct batch_commit {
	uint32_t at;                     /* offset of the frame in the batch's bytes */
	uint32_t span;
	uint32_t payload_bytes;
	bool is_bulk;                    /* a message: it may not use the reserve ... */
	bool is_report;                  /* ... but a report may use half of it */
	/* a copy by compaction: it may use all the room there is */
	bool is_copy;
	uint64_t body_bytes;             /* size of the body file */
	uint32_t sums_at;                /* offset of the file's checksums in the batch's bytes */
	int fd;                          /* the body file that is not durable yet; -1: none */
	struct msgid id;                 /* the message of the body file, which names that file */
	/* monotonic: after it the client has no use for the commit; 0: never */
	int64_t deadline_ms;
	int64_t start_by_ms;             /* after it the commit is not even tried */
	spool_done_fn *fn;
	void *arg;
	/* the result of the writer, or an error from before */
	int error;
	/* the reason lies in this commit; false: the disk failed */
	bool is_own_fault;
	bool is_named;                   /* the name of the body file is durable */
	struct segment *segment;
	uint32_t offset;                 /* in the segment; 0: nothing of the commit was written */
};

struct batch {
	STAILQ_ENTRY(batch) link;        /* in the lists of the writer and of body_sync */
	struct buf bytes;
	struct batch_commit *commits;
	size_t count;
	size_t cap;
	bool is_urgent;
	int64_t lazy_since_ms;           /* monotonic, of the first append */
	/* results of the writer */
	struct segment *opened;          /* new segments, oldest first */
	uint64_t syncs;
	int64_t sync_ms;
};

STAILQ_HEAD(batch_list, batch);

/* Returns an empty batch, which batch_free frees. */
struct batch *batch_new(void);
/* Frees the batch and sets *b to NULL; *b may be NULL. */
void batch_free(struct batch **b);
/* Frees all batches of the list. */
void batch_list_clear(struct batch_list *list);
/* Makes the batch empty for its next use; a large buffer is freed. */
void batch_reset(struct batch *b);

/* Adds one frame with the entries of `added`, which are copied.  body_bytes is the size of the body
 * file of its message entry, if it has one.  NULL: the batch would exceed its maximum size. */
struct batch_commit *batch_add(
    struct batch *b, const struct spool_batch *added, uint64_t body_bytes, int64_t newest_ms);
/* Sets the result of the commit: it is not stored.  is_own_fault: the disk may work; the commit is
 * late, has no room left for its kind, or does not match what was announced. */
void batch_refuse(struct batch_commit *c, int error, bool is_own_fault);
/* Recomputes the checksums of the frame after its bytes were changed. */
void batch_update_checksum(struct batch *b, struct batch_commit *c);
/* Copies the only commit of `single` to the end of the batch. */
void batch_append(struct batch *b, const struct batch *single);
/* Returns a new batch of the first `count` commits, with the results so far; the others stay in
 * b. */
struct batch *batch_take_first(struct batch *b, size_t count);
/* Returns the entries of the commit's frame. */
struct str batch_payload(const struct batch *b, const struct batch_commit *c);

#endif

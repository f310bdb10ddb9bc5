/*
 * batch: what was appended since the writer last looked, as the bytes that it will write, and whom
 * to tell.  Filled by the loop, written by the writer, answered by the loop, used again.
 */
#ifndef SPOOL_BATCH_H
#define SPOOL_BATCH_H

#include <sys/queue.h>

#include "spool/segment.h"

struct batch_commit {
	uint32_t at;                     /* of the frame in the batch's bytes */
	uint32_t span;
	uint32_t payload_bytes;
	bool is_bulk;                    /* may not use the reserve ... */
	bool is_report;                  /* ... but for half of it */
	bool is_copy;                    /* by compaction: may use all that there is */
	uint64_t body_bytes;             /* of that file */
	uint32_t sums_at;                /* where its sums go in the batch's bytes */
	int fd;                          /* body file not yet durable; -1: none */
	struct msgid id;                 /* names that file */
	int64_t deadline_ms;             /* monotonic: then nobody waits for it; 0: never */
	int64_t start_by_ms;             /* and from then on it is not worth a try */
	spool_done_fn *fn;
	void *arg;
	/* the writer's answer, or what went wrong before */
	int error;
	bool is_own_fault;               /* for a reason of this commit; false: the disk's fault */
	bool is_named;                   /* the body file has its name, durably */
	struct segment *segment;
	uint32_t offset;                 /* in the segment; 0: nothing of it was written */
};

struct batch {
	STAILQ_ENTRY(batch) link;        /* in the writer's or the bodies' lists */
	struct buf bytes;
	struct batch_commit *commits;
	size_t count;
	size_t cap;
	bool is_urgent;
	int64_t lazy_since_ms;           /* monotonic, of the first append */
	/* the writer's answer */
	struct segment *opened;          /* in order */
	uint64_t syncs;
	int64_t sync_ms;
};

STAILQ_HEAD(batch_list, batch);

struct batch *batch_new(void);
void batch_free(struct batch **b);
void batch_list_clear(struct batch_list *list);
/* Empty; a large memory is given back. */
void batch_reset(struct batch *b);

/* One frame more; body_bytes belongs to the message entry with a file.  NULL: over the ceiling. */
struct batch_commit *batch_add(
    struct batch *b, const struct spool_batch *added, uint64_t body_bytes, int64_t newest_ms);
/* Its answer: it is not stored.  is_own: the disk may be fine, this one is late, has no room left
 * for its kind, or is not what was announced. */
void batch_refuse(struct batch_commit *c, int error, bool is_own_fault);
/* The frame's bytes were changed: its checksums are made anew. */
void batch_update_checksum(struct batch *b, struct batch_commit *c);
/* Copies the only commit of `one` to the end. */
void batch_append(struct batch *b, const struct batch *single);
/* A batch of its own of the first `count` commits, with what the writer answered so far; the
 * others stay. */
struct batch *batch_take_first(struct batch *b, size_t count);
/* The entries of a commit's frame. */
struct str batch_payload(const struct batch *b, const struct batch_commit *c);

#endif

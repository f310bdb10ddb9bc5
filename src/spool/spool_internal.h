/*
 * spool_internal: what a spool is made of; for spool, recover and clean only.
 */
#ifndef SPOOL_SPOOL_INTERNAL_H
#define SPOOL_SPOOL_INTERNAL_H

#include "spool/body_files.h"
#include "spool/body_sync.h"
#include "spool/compaction_copies.h"
#include "spool/lost_record.h"
#include "spool/message_reads.h"
#include "spool/spool_index.h"
#include "spool/writer.h"

struct spool {
	struct spool_options options;
	struct fsio *io;
	struct spool_writer writer;
	struct body_sync body_sync;
	struct spool_index index;
	struct tasks reader;             /* for deliveries */
	struct tasks upkeep;             /* for compaction, losses, bodies that are checked */
	struct body_files body_files;
	struct spool_reads reads;
	struct compaction_copies copies;
	unsigned lost_task_count;        /* under way */
	struct buf buffer;               /* for what is read at the start */
	struct spool_stats stats;
	int64_t stored_ms;               /* see completion_stored_ms */
	uint64_t waiting_bytes;          /* appended, not answered */
	/* compaction of a full disk; monotonic */
	uint64_t round_left;             /* segments that this round still comes to; 0: none */
	int64_t round_began_ms;
	int64_t round_next_ms;           /* none begins before */
	lost_record_found_fn *lost_fn;          /* NULL: lost messages stay where they are */
	void *lost_arg;
	const struct spool_recovery *recovery; /* while it is opened, else NULL */
};

/* Writes anew what is there already; body_bytes: of a message, also of a file. */
int spool_append_copy(struct spool *s, const struct spool_batch *b, uint64_t body_bytes) MUST_USE;

#endif

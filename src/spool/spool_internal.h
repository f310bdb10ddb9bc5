/*
 * spool_internal: the parts of a spool.  For the files of src/spool only, and for tests.  What a
 * thread other than the event loop may access is stated where the part is declared.
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
#include "spool/writer_queues.h"

struct spool {
	struct spool_options options;
	struct fsio *io;
	struct spool_writer writer;
	struct body_sync body_sync;
	struct spool_index index;
	struct tasks reader;             /* reads messages for deliveries */
	struct tasks upkeep;             /* for compaction, lost records, checks of bodies */
	struct body_files body_files;
	struct spool_reads reads;
	struct compaction_copies copies;
	unsigned lost_task_count;        /* messages that are being set aside */
	struct buf buffer;               /* for what is read at the start */
	struct spool_stats stats;
	int64_t stored_ms;               /* see completion_stored_ms */
	uint64_t waiting_bytes;          /* appended, no result yet */
	/* rounds of compaction on a full disk; monotonic */
	uint64_t round_left;             /* segments that are left in this round; 0: no round */
	int64_t round_began_ms;
	int64_t round_next_ms;           /* no round begins before */
	lost_record_found_fn *lost_fn;   /* NULL: lost messages stay in the log */
	void *lost_arg;
	const struct spool_recovery *recovery; /* while the spool is opened, else NULL */
};

/* Appends again what is stored already.  body_bytes: size of the message's body, inline or in a
 * file.  -1: too much is waiting. */
int spool_append_copy(struct spool *s, const struct spool_batch *b, uint64_t body_bytes) MUST_USE;

#endif

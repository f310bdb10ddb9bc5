/*
 * lost_record: a message whose stored record cannot be read any more.  What can still be read of
 * the record is written to ID-N.aside, durably, and a record without content takes its place in the
 * log, in one frame with the state of each recipient, so that the segment can be freed
 * (doc/adr/0030-content-lost.md).  The disk may need long for all of this: the upkeep thread does
 * it, and the loop looks at the message again before it says anything of it.
 */
#ifndef SPOOL_LOST_RECORD_H
#define SPOOL_LOST_RECORD_H

#include "spool/spool.h"

enum {
	LOST_RECORD_AFTER_MS = 3600 * 1000, /* a message that cannot be read for so long is lost */
	LOST_RECORD_AT_ONCE = 8,            /* more must come again */
};

/*
 * Compaction met a message that is lost.  error: EBADMSG: it did not fit its checksum twice in a
 * row; else it could not be read for LOST_RECORD_AFTER_MS, while another part of its segment can
 * be.  The callee calls lost_record_set_aside, or it is called again later.  true: what is to be
 * told of it is in the log, now or since an earlier call; or lost_record_set_aside has begun.
 */
typedef bool lost_record_found_fn(struct msgid id, int error, void *arg);
void lost_record_listen(struct spool *s, lost_record_found_fn *fn, void *arg);

enum lost_record_result {
	LOST_RECORD_BEGUN,     /* fn will be called */
	LOST_RECORD_SET_ASIDE, /* what is left is durable */
	/* all others: nothing has changed */
	LOST_RECORD_READABLE,    /* the record can be read after all */
	LOST_RECORD_UNPROVEN,    /* it may be read yet */
	LOST_RECORD_GONE,        /* no such message, not any more */
	LOST_RECORD_BUSY,        /* something of it is being stored, or this is under way */
	LOST_RECORD_MOVED,       /* its record stands somewhere else by now */
	LOST_RECORD_TOO_MANY,    /* too many others are under way */
	LOST_RECORD_NOT_WRITTEN, /* the file; the log says why */
	LOST_RECORD_FULL,        /* too much waits to be stored */
};

/* A sentence for the log. */
const char *lost_record_text(enum lost_record_result result);

typedef void lost_record_fn(enum lost_record_result result, void *arg);

/*
 * Proves the damage and puts aside what is left.  error: as lost_record_found_fn.  BEGUN: fn will
 * be called, once, from spool_dispatch, unless the spool is closed first; arg must live until then.
 * It is told KEPT, and lost_record_append may be called from within fn; or any of those behind it.
 * The files go with the message, unless it becomes lost.
 */
enum lost_record_result lost_record_set_aside(
    struct spool *s, struct msgid id, int error, lost_record_fn *fn, void *arg) MUST_USE;

struct lost_record {
	struct msgid id;
	struct str envelope;             /* as the caller still knows it */
	const struct spool_recipient *ends; /* the new states of these recipients */
	size_t count;
	spool_done_fn *fn;
	void *arg;
};

/*
 * From within the fn of lost_record_set_aside, which was told KEPT.  BEGUN: fn will be called; 0
 * there: the message is without content, durably.  Or FULL.
 */
enum lost_record_result lost_record_append(struct spool *s, const struct lost_record *l) MUST_USE;

#endif

/*
 * lost_record: a message whose stored record cannot be read any more.  What can still be read of
 * the record is written to the file ID-N.aside, durably, and a record without content replaces it
 * in the log, in one frame with the status of each recipient; then the segment can be freed
 * (doc/adr/0030-content-lost.md).  All of this may take the disk a long time: the upkeep thread
 * does it, and the event loop checks the message again before it appends anything about it.  Who is
 * informed of the loss is the caller's matter.
 */
#ifndef SPOOL_LOST_RECORD_H
#define SPOOL_LOST_RECORD_H

#include "spool/spool.h"

enum {
	LOST_RECORD_AFTER_MS = 3600 * 1000, /* a message that cannot be read for so long is lost */
	LOST_RECORD_AT_ONCE = 8,            /* at the same time; the others are to be repeated */
};

/*
 * Compaction found a message that is lost.  error: EBADMSG: it did not match its checksum twice in
 * a row; otherwise it could not be read for LOST_RECORD_AFTER_MS, while another part of its segment
 * can be.  The callee calls lost_record_set_aside; if it does not, it is called again later.  true:
 * the callee has logged what there is to log, now or in an earlier call, or lost_record_set_aside
 * has begun.
 */
typedef bool lost_record_found_fn(struct msgid id, int error, void *arg);
/* Sets the function that compaction calls for such a message. */
void lost_record_listen(struct spool *s, lost_record_found_fn *fn, void *arg);

enum lost_record_result {
	LOST_RECORD_BEGUN,     /* fn will be called */
	LOST_RECORD_SET_ASIDE, /* what is left is durable */
	/* all others: nothing has changed */
	LOST_RECORD_READABLE,    /* the record can be read after all */
	LOST_RECORD_UNPROVEN,    /* it may still become readable */
	LOST_RECORD_GONE,        /* the message does not exist, or not any more */
	LOST_RECORD_BUSY,        /* an append about it is in progress, or it is being set aside */
	LOST_RECORD_MOVED,       /* its record is at another position now */
	LOST_RECORD_TOO_MANY,    /* too many others are being set aside */
	LOST_RECORD_NOT_WRITTEN, /* the file; the reason is logged */
	LOST_RECORD_FULL,        /* too much is waiting to be stored */
};

/* The result as a clause for the log. */
const char *lost_record_text(enum lost_record_result result);

typedef void lost_record_fn(enum lost_record_result result, void *arg);

/*
 * Proves the damage and sets aside what is left.  error: as in lost_record_found_fn.  BEGUN: fn
 * will be called once, from spool_dispatch, unless the spool is closed first; arg must live until
 * then.  fn gets SET_ASIDE, and may call lost_record_append then; or one of the results after it.
 * The files are removed with the message, unless it becomes lost.
 */
enum lost_record_result lost_record_set_aside(
    struct spool *s, struct msgid id, int error, lost_record_fn *fn, void *arg) MUST_USE;

struct lost_record {
	struct msgid id;
	struct str envelope;             /* as the caller still has it */
	const struct spool_recipient *statuses; /* the new statuses of these recipients */
	size_t count;
	spool_done_fn *fn;
	void *arg;
};

/*
 * To be called within the fn of lost_record_set_aside that got SET_ASIDE.  BEGUN: l->fn will be
 * called; with 0: the message has durably no content.  FULL: it was not appended.
 */
enum lost_record_result lost_record_append(struct spool *s, const struct lost_record *l) MUST_USE;

#endif

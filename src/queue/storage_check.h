/*
 * storage_check: can what becomes of a delivery be stored?  What was delivered and is not recorded
 * is delivered again after a restart, so deliveries begin only while something became durable a
 * moment ago and no status waits that failed.  Else a note without a value is stored first; while
 * that fails it is tried again and again, and deliveries wait.
 */
#ifndef QUEUE_STORAGE_CHECK_H
#define QUEUE_STORAGE_CHECK_H

#include "base/id.h"
#include "spool/disk_retry.h"
#include "spool/spool.h"

struct queue;

enum {
	STORAGE_CHECK_FRESH_MS =
	    2000, /* what became durable proves so long that more can be stored */
	STORAGE_CHECK_RETRY_MS = 2000,
	STORAGE_CHECK_TOLD_MAX =
	    10, /* statuses that are not stored and have a line in the log each */
};

/* All zeros at the beginning. */
struct storage_check {
	bool is_asked;           /* the note is on its way */
	unsigned late;           /* statuses that failed once and are not stored yet */
	unsigned told;           /* of these, since there was none */
	struct disk_retry trouble;  /* for which deliveries wait */
};

/* When it is asked because a delivery is due.  false: not now; the schedule is looked at again when
 * it may be. */
bool storage_check_may_deliver(struct queue *q) MUST_USE;
/* A status could not be stored, for the first time; its owner tries again. */
void storage_check_add_late(
    struct queue *q, struct msgid id, uint32_t number, enum spool_outcome outcome, int error);
/* It is stored, or another one speaks for it. */
void storage_check_drop_late(struct queue *q);
/* At the end: those that are late are lost. */
void storage_check_end(struct queue *q);

#endif

/*
 * storage_check: can the outcome of a delivery be stored?  A delivery whose outcome is not stored
 * is repeated after a restart.  Therefore deliveries begin only while something became durable a
 * moment ago and no failed status update waits.  Otherwise a note without a value is stored first;
 * while that fails it is tried again, and deliveries wait.
 */
#ifndef QUEUE_STORAGE_CHECK_H
#define QUEUE_STORAGE_CHECK_H

#include "base/id.h"
#include "spool/disk_retry.h"
#include "spool/spool.h"

struct queue;

enum {
	STORAGE_CHECK_FRESH_MS = 2000, /* for so long a durable write is proof */
	STORAGE_CHECK_RETRY_MS = 2000,
	STORAGE_CHECK_LOGGED_MAX = 10, /* updates with their own log line */
};

/* All zeros at the beginning. */
struct storage_check {
	bool is_asked;           /* the note is being stored */
	unsigned late_count;           /* updates that failed once and are not stored yet */
	unsigned logged_count;           /* of these, since late_count was 0 */
	struct disk_retry retry;  /* pauses deliveries */
};

/* Called when a delivery is due. false: not now; the schedule runs again when it may be possible.
 */
bool storage_check_may_deliver(struct queue *q) MUST_USE;
/* A status update failed for the first time; its owner tries again. */
void storage_check_add_late(
    struct queue *q, struct msgid id, uint32_t number, enum spool_outcome outcome, int error);
/* It is stored, or replaced by a newer update. */
void storage_check_drop_late(struct queue *q);
/* For the end of the role: updates that are late are lost. */
void storage_check_end(struct queue *q);

#endif

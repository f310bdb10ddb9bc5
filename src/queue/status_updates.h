/*
 * status_updates: a recipient's new state on its way into the spool; relay is told when it is
 * there.
 */
#ifndef QUEUE_STATUS_UPDATES_H
#define QUEUE_STATUS_UPDATES_H

#include "queue/last_attempt.h"
#include "queue/queue_internal.h"

struct status_update {
	struct msgid id;
	uint32_t number;
	enum spool_outcome outcome;
	uint32_t attempts;
	int64_t next_ms;
	uint8_t marks;
	bool is_owed;    /* its end, and a report about it is owed: not settled yet */
	bool from_relay; /* job waits for RESULT_STORED */
	uint64_t job;
};

/* Rides along with the next sync; stored again when that fails. */
void status_updates_put(
    struct queue *q, const struct status_update *r, const struct last_attempt *d);
/* Those that could not be stored. */
void status_updates_retry(struct queue *q);
void status_updates_clear(struct queue *q);
/* What the spool keeps of the recipient's last attempt, or of what kept it waiting; false: nothing.
 * Strings are valid until the next call of the spool. */
bool status_updates_last_attempt(
    struct queue *q, struct msgid id, uint32_t number, struct last_attempt *out);
/* Tells relay. */
void status_updates_acknowledge(struct queue *q, uint64_t job, struct msgid id, uint32_t number);

#endif

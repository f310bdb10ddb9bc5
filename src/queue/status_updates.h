/*
 * status_updates: stores new states of recipients; acknowledges the result to relay when the state
 * is durable.
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
	bool is_owed;    /* it has ended and owes a report: not settled yet */
	bool from_relay; /* relay waits for RESULT_STORED */
	uint64_t attempt_id;
};

/* Stored with the next sync; tried again when that fails. */
void status_updates_put(
    struct queue *q, const struct status_update *r, const struct last_attempt *d);
/* Tries again those that could not be stored. */
void status_updates_retry(struct queue *q);
void status_updates_clear(struct queue *q);
/* The last attempt of the recipient, or the failure that kept it waiting; false: none.  Strings are
 * valid until the next update of that recipient. */
bool status_updates_last_attempt(
    struct queue *q, struct msgid id, uint32_t number, struct last_attempt *out);
/* Sends RESULT_STORED to relay. */
void status_updates_acknowledge(
    struct queue *q, uint64_t attempt_id, struct msgid id, uint32_t number);

#endif

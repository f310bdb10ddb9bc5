/*
 * returns: recipients that failed for good, collected per message until their delivery is over,
 * then stored together with the report about them in one batch: both or none.
 */
#ifndef QUEUE_RETURNS_H
#define QUEUE_RETURNS_H

#include "queue/core.h"
#include "queue/detail.h"

struct failure {
	uint32_t number;
	uint32_t attempts;
	uint8_t marks;
	bool from_relay;
	uint64_t job;
	struct detail detail; /* strings are copied */
};

/* The recipient is failing from now on, and not open. */
void returns_add(struct queue *q, struct entry *e, const struct failure *f);
/* What was collected of this message goes its way. */
void returns_send(struct queue *q, struct entry *e);
/* Everything that is collected: relay will add nothing to it. */
void returns_send_all(struct queue *q);
/* Those that could not be stored. */
void returns_retry(struct queue *q);
void returns_clear(struct queue *q);

#endif

/*
 * ticket_key: the tickets of the attempts, and their key in the spool.
 */
#ifndef QUEUE_TICKET_KEY_H
#define QUEUE_TICKET_KEY_H

#include "queue/queue_internal.h"

/* Of the attempt with that number for this delivery. */
uint64_t ticket_of(const struct queue *q, uint64_t number, const struct delivery *delivery);
bool ticket_is_right(
    const struct queue *q, uint64_t number, const struct delivery *delivery, uint64_t ticket);
/* Stores the key when it is not durable. */
void ticket_key_store(struct queue *q);

#endif

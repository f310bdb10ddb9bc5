/*
 * ticket_key: the tickets of this queue's jobs, and their key in the spool.
 */
#ifndef QUEUE_TICKET_KEY_H
#define QUEUE_TICKET_KEY_H

#include "queue/queue_internal.h"

/* Of a job with that number for these recipients. */
uint64_t ticket_of(const struct queue *q, uint64_t number, const struct delivery *s);
bool ticket_is_right(
    const struct queue *q, uint64_t number, const struct delivery *s, uint64_t ticket);
/* Into the spool, when it is not there. */
void ticket_key_store(struct queue *q);

#endif

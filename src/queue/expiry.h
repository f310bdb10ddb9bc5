/*
 * expiry: ends messages that get no further attempt.  A message with attempts ends by the result of
 * the first attempt after its time.  A message without attempts, for whatever reason, ends here,
 * and its sender gets a report.  A message that the operator holds does not end. lifetime.h has the
 * rules.
 */
#ifndef QUEUE_EXPIRY_H
#define QUEUE_EXPIRY_H

#include "queue/queue_internal.h"

struct event_base;

void expiry_init(struct queue *q, struct event_base *base);
void expiry_clear(struct queue *q);
/* The message was queued, or its lifetime was changed; and it leaves the queue. */
void expiry_message_added(struct queue *q, struct queued_message *e);
void expiry_message_removed(struct queue *q, struct queued_message *e);
void expiry_relay_lost(struct queue *q);

#endif

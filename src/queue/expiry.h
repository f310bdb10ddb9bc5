/*
 * expiry: the end of messages that get no attempt.  What is tried ends by the result of an attempt
 * after its time; what is not tried any more, for whatever reason, ends here, and its sender is
 * told.  What an operator holds does not end.  lifetime.h says when.
 */
#ifndef QUEUE_EXPIRY_H
#define QUEUE_EXPIRY_H

#include "queue/queue_internal.h"

struct event_base;

void expiry_init(struct queue *q, struct event_base *base);
void expiry_clear(struct queue *q);
/* Into the book, out of it; its lifetime has changed. */
void expiry_message_added(struct queue *q, struct queued_message *e);
void expiry_message_removed(struct queue *q, struct queued_message *e);
void expiry_relay_lost(struct queue *q);

#endif

/*
 * queued_times: what is to be done for a message at a time of its own: the delay report, and the
 * end of a message that no attempt ends (expiry.h).  No timer stands for each message: all are
 * looked at one after the other, a part in each turn, when the earliest of their times has come.
 */
#ifndef QUEUE_QUEUED_TIMES_H
#define QUEUE_QUEUED_TIMES_H

#include "queue/queue_internal.h"

void queued_times_init(struct queue *q, struct event_base *base);
void queued_times_clear(struct queue *q);
/* It was queued. */
void queued_times_message_added(struct queue *q, struct queued_message *e);
/* It is about to be removed. */
void queued_times_message_removed(struct queue *q, const struct queued_message *e);
/* The times of all of them may have changed. */
void queued_times_configure(struct queue *q);

#endif

/*
 * expiry: the end of messages that get no attempt.  What is tried ends by the result of an attempt
 * after its time; what is not tried any more, for whatever reason, ends here, and its sender is
 * told.  What an operator holds does not end.
 */
#ifndef QUEUE_EXPIRY_H
#define QUEUE_EXPIRY_H

#include "queue/core.h"

struct event_base;

enum {
	EXPIRY_SLACK_MS = 2000,          /* beyond the message's time: for the last attempt */
	EXPIRY_PATIENCE_MS = 3600 * 1000, /* more for one that is about to be tried */
	EXPIRY_AWAY_MS = 600 * 1000,     /* for a relay that is not there, and may have results */
};

void expiry_init(struct queue *q, struct event_base *base);
void expiry_clear(struct queue *q);
/* Into the book, out of it; its lifetime has changed. */
void expiry_entry_came(struct queue *q, struct entry *e);
void expiry_entry_gone(struct queue *q, struct entry *e);
void expiry_relay_lost(struct queue *q);

#endif

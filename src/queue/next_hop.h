/*
 * next_hop: decides the destination of each delivery by the configuration (policy/destination.h),
 * and again when a reload changes the routes.  A decision is made once for a domain and kept.  A
 * running delivery keeps its destination.
 */
#ifndef QUEUE_NEXT_HOP_H
#define QUEUE_NEXT_HOP_H

#include "queue/queue_internal.h"

enum {
	NEXT_HOP_DECISIONS_MAX = 4096, /* domains; beyond that all are decided anew */
	NEXT_HOP_SLICE = 1000, /* deliveries that are decided anew in one turn of the loop */
};

void next_hop_init(struct queue *q, struct event_base *base);
void next_hop_clear(struct queue *q);
/* The text of its destination, valid until the next call. */
struct str next_hop_of(struct queue *q, const struct delivery *delivery);
/* The configuration has changed: deliveries that wait are decided anew, some in each turn of the
 * loop. */
void next_hop_reload(struct queue *q, const struct conf *before);
/* A delivery that is to begin was decided by the former configuration. */
bool next_hop_is_former(struct queue *q, const struct delivery *delivery);
/* The message is about to be removed. */
void next_hop_message_removed(struct queue *q, const struct queued_message *e);

#endif

/*
 * notice_store: mail to the postmaster that main asks for.  The answer is given when the message is
 * durable: the same promise as to a client.  Whether something is told, and how often, main
 * decides.
 */
#ifndef QUEUE_NOTICE_STORE_H
#define QUEUE_NOTICE_STORE_H

#include "queue/queue_internal.h"

/* What main says beside what all roles hear. */
void notice_store_handle_packet(struct role *r, const struct channel_packet *p);
/* The spool is told nothing of those that are under way: it is closed. */
void notice_store_clear(struct queue *q);

#endif

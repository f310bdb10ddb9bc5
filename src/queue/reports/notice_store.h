/*
 * notice_store: mail to the postmaster, requested by main.  The answer is sent when the message is
 * durable, as for a client.  Main decides which notices are sent, and how often.
 */
#ifndef QUEUE_REPORTS_NOTICE_STORE_H
#define QUEUE_REPORTS_NOTICE_STORE_H

#include "queue/queue_internal.h"

/* Handles the messages of main that are only for the queue. */
void notice_store_handle_packet(struct role *r, const struct channel_packet *p);
/* For the end of the role: the spool is closed and calls no callback any more. */
void notice_store_clear(struct queue *q);

#endif

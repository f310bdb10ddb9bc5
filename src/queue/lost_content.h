/*
 * lost_content: ends a message whose stored content is lost.  Its recipients fail, its sender gets
 * a report, and the log can free its space; what is left of it is kept in a file for the
 * administrator.
 */
#ifndef QUEUE_LOST_CONTENT_H
#define QUEUE_LOST_CONTENT_H

#include "queue/queue_internal.h"

void lost_content_init(struct queue *q);
void lost_content_clear(struct queue *q);

/*
 * A read for a delivery ended with EBADMSG for the record of the message; the attempt has ended.
 * The damage is confirmed here by another read.  Now or later the message ends as lost, or it is
 * tried again.
 */
void lost_content_in_delivery(struct queue *q, struct queued_message *e);

#endif

/*
 * lost_content: a message whose stored content is lost.  Its recipients come to their end, the
 * sender is told, the log gets rid of it; what is left stands in a file for the administrator.
 */
#ifndef QUEUE_LOST_CONTENT_H
#define QUEUE_LOST_CONTENT_H

#include "queue/queue_internal.h"

void lost_content_init(struct queue *q);
void lost_content_clear(struct queue *q);

/*
 * A read for a delivery, which has ended, said EBADMSG of the message's record.  That is proven,
 * and what comes of it is done here, now or later: the message is lost, or it is tried again.
 */
void lost_content_in_delivery(struct queue *q, struct queued_message *e);

#endif

/*
 * lost_content: a message whose stored content is lost.  Its recipients come to their end, the
 * sender is told, the log gets rid of it; what is left stands in a file for the administrator.
 */
#ifndef QUEUE_LOST_CONTENT_H
#define QUEUE_LOST_CONTENT_H

#include "queue/queue_internal.h"

void damage_init(struct queue *q);
void damage_clear(struct queue *q);

/*
 * A read for a delivery, which has ended, said EBADMSG of the message's record.  That is proven,
 * and what comes of it is done here, now or later: the message is lost, or it is tried again.
 */
void damage_end(struct queue *q, struct entry *e);

#endif

/*
 * damage: a message whose stored content is lost.  Its recipients come to their end, the sender is
 * told, the log gets rid of it; what is left stands in a file for the administrator.
 */
#ifndef QUEUE_DAMAGE_H
#define QUEUE_DAMAGE_H

#include "queue/core.h"

void damage_init(struct queue *q);
void damage_clear(struct queue *q);

/*
 * A read for a delivery said EBADMSG: the message's record may be damaged.  0: that is being found
 * out, and what comes of it is done here: the message is lost, or its body's file is damaged and it
 * is held, or it is tried again later.  -1 with errno: not now, to be called again later.
 */
int damage_end(struct queue *q, struct entry *e) MUST_USE;

#endif

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
 * A read said EBADMSG: the message's record may be damaged.  0: it is, and its end is being stored.
 * -1 with errno: EEXIST the record is sound, so it is the body's file; else not now, to be called
 * again later.
 */
int damage_end(struct queue *q, struct entry *e) MUST_USE;

#endif

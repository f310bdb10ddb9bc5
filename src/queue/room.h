/*
 * room: submission is told how large a message the spool can take now, so that a client that says a
 * larger SIZE hears it at MAIL.  It is looked at every second and told when it has changed; what is
 * said at MAIL promises nothing: the file of a body asks again when it begins.
 */
#ifndef QUEUE_ROOM_H
#define QUEUE_ROOM_H

#include "queue/core.h"

enum { ROOM_LOOK_MS = 1000 };

/* The spool is open. */
void room_begin(struct queue *q);
void room_clear(struct queue *q);

#endif

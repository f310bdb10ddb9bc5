/*
 * intake_room: submission is told how large a message the spool can take now, so that a client that
 * says a larger SIZE hears it at MAIL.  It is looked at every second and told when it has changed;
 * what is said at MAIL promises nothing: the file of a body asks again when it begins.  That there
 * is no room at all is shown by `sallyport status`, and the log has a line, and one when it is
 * over.
 */
#ifndef QUEUE_INTAKE_ROOM_H
#define QUEUE_INTAKE_ROOM_H

#include "queue/queue_internal.h"

enum {
	INTAKE_ROOM_CHECK_MS = 1000,
	INTAKE_ROOM_STEADY_MS = 5000,           /* then the log has it that there is room again */
};

/* The spool is open. */
void intake_room_begin(struct queue *q);
void intake_room_clear(struct queue *q);

#endif

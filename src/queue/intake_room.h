/*
 * intake_room: reports to submission how large a message the spool can take now, so that a client
 * with a larger SIZE gets an error at MAIL. The space is checked every second and sent when it has
 * changed.  It is no reservation: the file of a body is checked again when it begins.  A full disk
 * is shown by `sallyport status`, and its begin and end are logged.
 */
#ifndef QUEUE_INTAKE_ROOM_H
#define QUEUE_INTAKE_ROOM_H

#include "queue/queue_internal.h"

enum {
	INTAKE_ROOM_CHECK_MS = 1000,
	INTAKE_ROOM_STEADY_MS = 5000,           /* so long there must be room until it is logged */
};

/* Called when the spool is open. */
void intake_room_begin(struct queue *q);
void intake_room_clear(struct queue *q);

#endif

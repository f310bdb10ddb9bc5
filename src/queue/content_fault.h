/*
 * content_fault: what becomes of a message whose stored content could not be read.  It is held when
 * the damage is confirmed, else a delivery of it waits.  No recipient gets an outcome here, and the
 * message is not removed.
 */
#ifndef QUEUE_CONTENT_FAULT_H
#define QUEUE_CONTENT_FAULT_H

#include "queue/queue_internal.h"

/* The body is confirmed to be damaged; error is for spool_fault_held_reason.  No later read can
 * succeed, so the message is held until the operator decides or it expires. */
void content_fault_hold(struct queue *q, struct queued_message *e, int error);
/* The spool cannot read the message now: it is tried again, with growing pauses. */
void content_fault_wait(struct queue *q, struct delivery *delivery, int error);

#endif

/*
 * dispatch_attempt: one attempt, from the read of its message to its end.  In queue.attempts, by
 * its number; made and freed by dispatch_attempts.
 */
#ifndef QUEUE_DISPATCH_ATTEMPT_H
#define QUEUE_DISPATCH_ATTEMPT_H

#include "queue/queue_internal.h"

struct dispatch_attempt {
	uint64_t number;
	struct queue *queue;
	struct msgid id;
	struct delivery *delivery; /* NULL: the message is removed */
	uint32_t expected;         /* results that are missing */
	struct spool_reading reading; /* of the message, until it is sent */
	struct timer deadline;
	int64_t began_ms; /* monotonic */
	int64_t grace_ms; /* from CANCEL until it is given up */
	bool is_sent;
	bool is_cancelled;    /* relay was asked to end it */
	bool is_deleted;      /* the operator deleted its message */
	bool is_reached;      /* the destination answered */
	bool is_unreachable;         /* no session came as far as MAIL */
	bool is_busy;         /* it answered 421 */
	bool is_silent;       /* it stopped answering */
	bool is_tried;        /* the next pause is longer */
	bool is_connected;    /* a host was tried, or that is not known */
	bool is_deferred;     /* at least one recipient must be tried again */
	struct smtp_status status; /* of the destination, when it is unreachable or busy */
};

#endif

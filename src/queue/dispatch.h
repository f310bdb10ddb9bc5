/*
 * dispatch: hands deliveries to relay and takes them back.  One attempt is one delivery that relay
 * is given once.  An attempt ends by its results (outcomes.c), by its deadline
 * (dispatch_deadlines.c) or by the loss of relay; what is open then returns to the schedule.
 */
#ifndef QUEUE_DISPATCH_H
#define QUEUE_DISPATCH_H

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

/* Attempt ids start above those of any earlier queue process. */
void dispatch_init(struct queue *q);
void dispatch_clear(struct queue *q);
/* Does the steps of the schedule, up to a bound; false: there may be more at once. */
bool dispatch_run_schedule(struct queue *q);
struct dispatch_attempt *dispatch_attempt_find(const struct queue *q, uint64_t number);
/* All results are in, or no more will come.  Frees the attempt. */
void dispatch_attempt_end(struct dispatch_attempt *attempt);
/* Relay had not begun it: returns it to the schedule; `why` is for the log.  Frees the attempt. */
void dispatch_attempt_requeue(struct dispatch_attempt *attempt, const char *why);
/* Its results are not waited for any more: returns its open recipients to the schedule.  Frees it.
 */
void dispatch_attempt_give_up(struct dispatch_attempt *attempt);
/* The message is removed; later results of its attempt find no delivery. */
void dispatch_detach_delivery(struct delivery *delivery);

/* What relay reports after its start, and the loss of its channel. */
void dispatch_relay_running(struct queue *q, const struct message_running *m);
void dispatch_relay_caught_up(struct queue *q);
void dispatch_relay_lost(struct queue *q);

#endif

/*
 * dispatch: parcels on their way to relay and back.  One job is one parcel handed out once.
 */
#ifndef QUEUE_DISPATCH_H
#define QUEUE_DISPATCH_H

#include "queue/queue_internal.h"

struct dispatch_attempt {
	uint64_t number;
	struct queue *queue;
	struct msgid id;
	struct delivery *shipment; /* NULL: the message is gone */
	uint32_t expected;         /* results that are due */
	struct spool_reading reading; /* of the message, until it is sent */
	struct timer deadline;
	int64_t began_ms; /* monotonic */
	int64_t grace_ms; /* from CANCEL to giving it up */
	bool is_sent;
	bool is_cancelled;    /* relay was told to end it */
	bool is_deleted;      /* the operator has deleted its message */
	bool is_reached;      /* the site answered */
	bool is_away;         /* no session came as far as MAIL */
	bool is_busy;         /* it answered 421 */
	bool is_silent;       /* it fell silent */
	bool is_tried;        /* the next pause is longer for it */
	bool is_connected;    /* a host was tried, or nobody knows */
	bool is_deferred;     /* someone must be tried again */
	struct smtp_status status; /* why it is away */
};

/* Job numbers start above those of any queue before us. */
void dispatch_init(struct queue *q);
void dispatch_clear(struct queue *q);
/* Does what the schedule says, up to a bound; false: there may be more at once. */
bool dispatch_run_schedule(struct queue *q);
struct dispatch_attempt *dispatch_attempt_find(const struct queue *q, uint64_t number);
/* All results are in, or no more will come. */
void dispatch_attempt_end(struct dispatch_attempt *job);
/* Relay had not begun it: back into the schedule; `why` is for the log. */
void dispatch_attempt_requeue(struct dispatch_attempt *job, const char *why);
/* No result will be waited for: back into the schedule with what is open. */
void dispatch_attempt_give_up(struct dispatch_attempt *job);
/* The message is gone; what relay still says of it finds no one. */
void dispatch_detach_delivery(struct delivery *s);

/* What relay says of itself, and its end. */
void dispatch_relay_running(struct queue *q, const struct message_running *m);
void dispatch_relay_caught_up(struct queue *q);
void dispatch_relay_lost(struct queue *q);

#endif

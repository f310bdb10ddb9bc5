/*
 * requests: the open requests of one channel, with their deadlines and ends.  It sends nothing: see
 * ipc/request.h for the requests as their owners see them.
 */
#ifndef IPC_REQUESTS_H
#define IPC_REQUESTS_H

#include <event2/event.h>
#include <sys/queue.h>

#include "ipc/channel_packet.h"
#include "ipc/questions.h"

enum request_end {
	REQUEST_ROW, /* not the end: a part of the answer (ADMIN_ROW); it restarts the deadline */
	REQUEST_ANSWERED,
	REQUEST_ERROR,   /* refused, an answer of another type, its descriptor lost, or not sent */
	REQUEST_EXPIRED, /* the deadline passed; a late answer is ignored */
	REQUEST_LOST,    /* the peer has closed */
};

/* packet: for REQUEST_ROW and REQUEST_ANSWERED, of the expected type, valid only during the call;
 * else NULL.  The owner owns its descriptor; only types with a descriptor have one. */
typedef void request_fn(enum request_end end, const struct channel_packet *packet, void *arg);

/* All zeros: not open.  Only requests.c and request.c use the members. */
struct request {
	request_fn *fn;
	void *arg;
	struct requests *requests; /* NULL: not open */
	uint64_t number;
	int64_t deadline_ms;
	struct request *next;      /* of those in the same slot of the table */
	TAILQ_ENTRY(request) due;  /* of those of its type, the oldest first */
	uint16_t type;
	bool is_quick;
	bool is_held;
	bool is_unsent;
	bool is_fd_lost; /* it ended because a descriptor was lost */
	uint8_t end; /* how it ends, if it could not be sent */
};

/* Allowed in any state, any number of times. */
void request_cancel(struct request *r);
/* Was it sent, without an end so far? */
bool request_is_open(const struct request *r);
/* For an open request (else nothing): renew restarts the deadline, as a row does; hold stops it
 * until then, because this side must go on first. */
void request_renew(struct request *r);
void request_hold(struct request *r);

/* ---- for channel.c and request.c ---- */

TAILQ_HEAD(request_list, request);

struct requests {
	struct request **slots; /* by number; their count is a power of two */
	size_t slot_count, count;
	uint64_t last_number;
	struct request_list due[MESSAGE_TYPES]; /* by type: the first expires first; NONE: held */
	struct request_list unsent;
	struct event *timer; /* the channel's */
	int64_t timer_ms;    /* when it fires, monotonic; INT64_MAX: not set */
	int64_t step_timeout_ms;
	void (*late)(int fd, void *arg); /* see channel_take_late; NULL: close */
	void *late_arg;
};

/* Prepares an empty table. */
void requests_init(struct requests *all, struct event *timer);
/* Cancels all open requests and frees the table. */
void requests_clear(struct requests *all);
/* Opens the request r of this type: it has a number, and its deadline runs. */
void requests_open(struct requests *all, struct request *r, enum message_type type);
/* An open request was not sent: its owner gets this end from the loop. */
void requests_fail_soon(struct request *r, enum request_end end);
/* Handles an answer; type MESSAGE_NONE: a refusal, or an answer that cannot be decoded.  Takes the
 * descriptor. */
void requests_answered(struct requests *all, struct channel_packet *p);
/* Ends the expired requests when the timer fires.  *freed becomes true when an owner frees the
 * channel: then nothing is used any more. */
void requests_expire(struct requests *all, const bool *freed);
/* Ends all with REQUEST_LOST; *freed likewise. */
void requests_lose(struct requests *all, const bool *freed);

#endif

/*
 * request: one request to another role.  It is embedded in its owner's struct, is sent on a
 * channel, and ends exactly once: by its answer, an error, its deadline, or the loss of the peer.
 * If the owner cancels it before, there is no callback.  One table (message_question) has the type
 * of each answer and its deadline; no role sets a deadline or checks the type of an answer.  The
 * callback always comes from the loop, never from inside request_ask.
 */
#ifndef IPC_REQUEST_H
#define IPC_REQUEST_H

#include <event2/event.h>
#include <sys/queue.h>

#include "ipc/questions.h"

struct channel;
struct channel_packet;

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

/* All zeros: not open.  Only request.c uses the members. */
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

/* Sets the callback; not while it is open. */
void request_init(struct request *r, request_fn *fn, void *arg);
/* From now on it has the short deadline of its type. */
void request_quick(struct request *r);
/* Sends the message, or queues it in the channel.  r must not be open, and may be used again after
 * its end. */
void request_ask(
    struct request *r, struct channel *c, enum message_type type, const void *message);
/* Allowed in any state, any number of times. */
void request_cancel(struct request *r);
/* Was it sent, without an end so far? */
bool request_is_open(const struct request *r);
/* For an open request (else nothing): renew restarts the deadline, as a row does; hold stops it
 * until then, because this side must go on first. */
void request_renew(struct request *r);
void request_hold(struct request *r);
/* Sends one more message about an open request, on its channel; it has no answer.  Nothing for a
 * request that is not open. */
void request_add(
    struct request *r, struct channel *c, enum message_type type, const void *message);
/* The same for a request that has just ended with REQUEST_ERROR or REQUEST_EXPIRED: the other side
 * may still be working for it.  Only from the callback of the end. */
void request_add_last(
    const struct request *r, struct channel *c, enum message_type type, const void *message);

/* "queue did not answer within 60 s": the name of the other role, and why there is no answer; r has
 * ended. */
enum { REQUEST_TEXT_BYTES = 100 };
const char *request_text(const char *peer_name, const struct request *r, enum request_end end,
    char out[REQUEST_TEXT_BYTES]);

/* ---- for channel.c: the open requests of one channel ---- */

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
/* Handles an answer; type MESSAGE_NONE: a refusal, or an answer that cannot be decoded.  Takes the
 * descriptor. */
void requests_answered(struct requests *all, struct channel_packet *p);
/* Ends the expired requests when the timer fires.  *freed becomes true when an owner frees the
 * channel: then nothing is used any more. */
void requests_expire(struct requests *all, const bool *freed);
/* Ends all with REQUEST_LOST; *freed likewise. */
void requests_lose(struct requests *all, const bool *freed);

#endif

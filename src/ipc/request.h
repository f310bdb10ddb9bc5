/*
 * request: one question to another role.  It is a member of its owner's struct, is asked on a
 * channel, and ends exactly once: by its answer, an error, its deadline, or the loss of the peer.
 * Its owner may cancel it first, and then hears nothing.  What a type's answer is and how long it
 * may take stands in one table (message_question); no role writes a deadline or looks at the type
 * of an answer.  The end is always heard from the loop, never from inside request_ask.
 */
#ifndef IPC_REQUEST_H
#define IPC_REQUEST_H

#include <event2/event.h>
#include <sys/queue.h>

#include "ipc/questions.h"

struct channel;
struct channel_packet;

enum request_end {
	REQUEST_ROW, /* not the end: a part of the answer (ADMIN_ROW); it renews the deadline */
	REQUEST_ANSWERED,
	REQUEST_ERROR,   /* refused, an answer of another type, its descriptor lost, not sent */
	REQUEST_EXPIRED, /* the deadline passed; a late answer finds no one */
	REQUEST_LOST,    /* the peer is gone */
};

/* packet: with REQUEST_ROW and REQUEST_ANSWERED, of the type that was expected, valid only during
 * the call; else NULL.  A descriptor belongs to the owner; only types that have one bring one. */
typedef void request_fn(enum request_end end, const struct channel_packet *packet, void *arg);

/* All zeros: not asked.  Its members are request.c's. */
struct request {
	request_fn *fn;
	void *arg;
	struct requests *asked; /* NULL: not asked */
	uint64_t number;
	int64_t deadline_ms;
	struct request *next;      /* of those with the same place in the table */
	TAILQ_ENTRY(request) due;  /* of those of its type, the oldest first */
	uint16_t type;
	bool is_quick;
	bool is_held;
	bool is_unsent;
	bool is_fd_lost; /* of one that ended: because a descriptor did not come */
	uint8_t end; /* of one that could not be sent: how it ends */
};

/* Who hears its end; not while it is open. */
void request_init(struct request *r, request_fn *fn, void *arg);
/* From now on it has the short deadline of its type. */
void request_quick(struct request *r);
/* The message is sent at once or waits in the channel.  r must not be open, and may be asked again
 * after its end. */
void request_ask(
    struct request *r, struct channel *c, enum message_type type, const void *message);
/* From any state, any number of times. */
void request_cancel(struct request *r);
bool request_is_open(const struct request *r);
/* Of an open one: its deadline begins again now, as by a row; or there is none until then, because
 * it is we who have to go on first.  Nothing for one that is not open. */
void request_renew(struct request *r);
void request_hold(struct request *r);
/* One more message about an open request, to the channel that it was asked on; it is not answered.
 * Nothing for one that is not open. */
void request_add(
    struct request *r, struct channel *c, enum message_type type, const void *message);
/* The same about one that has just ended with REQUEST_ERROR or REQUEST_EXPIRED: the other side may
 * still be at work for it.  Only from the call that tells of the end. */
void request_add_last(
    const struct request *r, struct channel *c, enum message_type type, const void *message);

/* "queue did not answer within 60 s": who was asked, and why there is no answer; r has ended. */
enum { REQUEST_TEXT_BYTES = 100 };
const char *request_text(const char *who, const struct request *r, enum request_end end,
    char out[REQUEST_TEXT_BYTES]);

/* ---- for channel.c: the open requests of one channel ---- */

TAILQ_HEAD(request_list, request);

struct requests {
	struct request **places; /* by number; their count is a power of two */
	size_t place_count, count;
	uint64_t last_number;
	struct request_list due[MESSAGE_TYPES]; /* by type: the first expires first; NONE: held */
	struct request_list unsent;
	struct event *timer; /* the channel's */
	int64_t timer_ms;    /* when it fires, monotonic; INT64_MAX: not */
	int64_t step_timeout_ms;
	void (*late)(int fd, void *arg); /* see channel_take_late; NULL: close */
	void *late_arg;
};

void requests_init(struct requests *all, struct event *timer);
/* Those that are open are cancelled. */
void requests_clear(struct requests *all);
/* An answer came; type MESSAGE_NONE: a refusal, or nothing that can be read.  Takes the
 * descriptor. */
void requests_answered(struct requests *all, struct channel_packet *p);
/* The timer fired.  *freed turns true when an owner freed the channel: nothing is touched then. */
void requests_expire(struct requests *all, const bool *freed);
void requests_lose(struct requests *all, const bool *freed);

#endif

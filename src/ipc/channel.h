/*
 * channel: one end of a SEQPACKET pair between two roles, on a libevent loop.  A call is a message
 * that expects an answer; the answer always comes through the loop, never from inside the asking
 * call.  What the kernel does not take at once waits in a bounded queue.  A lost peer answers every
 * open call with NULL.  Cancelled calls find no one.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <event2/event.h>

#include "ipc/message.h"

struct channel;

/* What came in: valid only during the call. */
struct packet {
	enum message_type type;
	uint32_t call;  /* to be given to channel_answer; 0: no answer expected */
	union message *message;
	int fd;         /* -1, or a descriptor that now belongs to the handler */
};

/* A message that is no answer to one of our calls. */
typedef void channel_fn(struct channel *c, const struct packet *p, void *arg);
/* The peer is gone or broke the rules; open calls were answered with NULL before.  The channel is
 * dead: the owner may channel_free it here. */
typedef void channel_lost_fn(struct channel *c, void *arg);
/* p NULL: no answer will come.  An answer of type MESSAGE_ADMIN_ROW does not end its call: more
 * follow. */
typedef void answer_fn(const struct packet *p, void *arg);

/* Owns fd.  Several descriptors may be waiting at once; bytes waiting to be sent are bounded. */
struct channel *channel_new(struct event_base *base, int fd, channel_fn *fn, channel_lost_fn *lost,
    void *arg);
/* Cancels open calls (no answers), closes. */
void channel_free(struct channel **c);
/* The peer was replaced: open calls are answered with NULL, then as channel_free.  Not from inside
 * an ask. */
void channel_end(struct channel **c);

enum { CHANNEL_WAITING_MAX = 64 << 20 };

/* 0, or -1 when the channel is dead or its queue is full (nothing was sent).  fd >= 0 is passed
 * along and stays the caller's. */
int channel_send(struct channel *c, enum message_type type, const void *message, int fd) MUST_USE;
/* The call's number (never 0), or 0 when it could not be sent; then fn is never called. */
uint32_t channel_ask(struct channel *c, enum message_type type, const void *message, answer_fn *fn,
    void *arg) MUST_USE;
void channel_cancel(struct channel *c, uint32_t call);
int channel_answer(struct channel *c, uint32_t call, enum message_type type, const void *message,
    int fd) MUST_USE;

/* Bytes waiting because the kernel took no more: a caller that can, stops when this grows. */
size_t channel_waiting(const struct channel *c);

struct channel_question {
	enum message_type type;
	const void *message;
	int timeout_ms;
};

/* One question and its answer, blocking, on a descriptor that is no channel's (the TLS signature).
 * Strings of the answer point into `room`, which the caller keeps and whose ceiling bounds the
 * answer.  -1: broken, too long, or timeout_ms passed. */
int channel_call_blocking(int fd, const struct channel_question *q, struct buf *room,
    enum message_type *type_out, union message *out) MUST_USE;

#endif

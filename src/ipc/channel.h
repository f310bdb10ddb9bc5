/*
 * channel: one end of a SEQPACKET pair between two roles, on a libevent loop.  Messages go both
 * ways; questions are asked with ipc/request.h.  What the kernel does not take at once waits in a
 * bounded queue.  A channel that cannot send any more is closed: there is none that keeps silent.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "ipc/request.h"

/* What came in: valid only during the call. */
struct channel_packet {
	enum message_type type;
	uint64_t call;  /* its request's number, for channel_answer; 0: it belongs to none */
	union message *message;
	int fd;         /* -1, or a descriptor that now belongs to the handler */
	bool is_fd_lost; /* one belongs to it, and could not be passed or taken */
};

/* A message that is no answer to one of our requests. */
typedef void channel_fn(struct channel *c, const struct channel_packet *p, void *arg);
/* The peer is gone or broke the rules, or does not take what we send; requests ended before.  The
 * channel is dead: the owner may channel_free it here.  Called from the loop only. */
typedef void channel_lost_fn(struct channel *c, void *arg);

/* The kernel has taken all that waited.  Called from the loop only; it may not free the channel. */
typedef void channel_emptied_fn(void *arg);

/* A descriptor that belongs to the callee. */
typedef void channel_late_fn(int fd, void *arg);

/* Owns fd. */
struct channel *channel_new(struct event_base *base, int fd, channel_fn *fn, channel_lost_fn *lost,
    void *arg);
/* Cancels open requests, closes. */
void channel_free(struct channel **c);
/* The peer was replaced: open requests end with REQUEST_LOST, then as channel_free.  Not from
 * inside an ask. */
void channel_end(struct channel **c);

/* Two ends for a channel, with buffers that take the largest packet.  -1: errno, ENOBUFS when
 * net.core.wmem_max is below channel_buffer_needed and this process may not pass over it. */
int channel_pair(int ends_out[2]) MUST_USE;
size_t channel_buffer_needed(void);

enum { CHANNEL_WAITING_MAX = 64 << 20 };

/* 0, or -1: nothing was sent.  Either the channel is dead or dies of it (then `lost` is called
 * soon), or this message alone is too large.  fd >= 0 is passed along and stays the caller's; one
 * that cannot be passed (EMFILE, ETOOMANYREFS) is lost alone: its message comes marked so. */
int channel_send(struct channel *c, enum message_type type, const void *message, int fd) MUST_USE;
/* The same for the answer to request `call`; 0: nobody waits for it, nothing is sent.  An answer
 * that alone cannot be sent is refused instead: the request ends. */
int channel_answer(struct channel *c, uint64_t call, enum message_type type, const void *message,
    int fd) MUST_USE;
/* There will be no answer: the request ends with REQUEST_ERROR.  Nothing for call 0. */
void channel_refuse(struct channel *c, uint64_t call);

/* False: it takes no more messages; `lost` was called or will be. */
bool channel_is_open(const struct channel *c);
/* Takes the descriptors of answers that nobody waits for any more; without it they are closed,
 * which may wait for the disk. */
void channel_take_late(struct channel *c, channel_late_fn *fn, void *arg);
/* auth.step_timeout, for the deadlines of requests that wait for such a step. */
void channel_step_timeout(struct channel *c, int64_t ms);

/* For request.c. */
struct requests *channel_requests(struct channel *c);
int channel_ask(struct channel *c, uint64_t request, enum message_type type, const void *message)
    MUST_USE;

/* Bytes waiting because the kernel took no more: a caller that can, stops when this grows. */
size_t channel_waiting(const struct channel *c);
/* Is called, with the channel's arg, when that has become 0 again. */
void channel_tell_emptied(struct channel *c, channel_emptied_fn *fn);

#endif

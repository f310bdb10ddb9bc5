/*
 * channel: one end of a SEQPACKET socket pair between two roles, on a libevent loop.  Messages go
 * in both directions; ipc/request.h sends requests.  What the kernel does not accept at once waits
 * in a limited queue.  A channel that cannot send any more is closed, so that no message is lost
 * silently.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <event2/event.h>

#include "ipc/channel_packet.h"

struct channel;
struct requests;

/* Receives a message that is not an answer to one of our requests. */
typedef void channel_fn(struct channel *c, const struct channel_packet *p, void *arg);
/* The peer has closed, broke the protocol, or does not read what we send; all requests have ended
 * before.  The channel is closed: the owner may call channel_free here.  Called from the loop
 * only. */
typedef void channel_lost_fn(struct channel *c, void *arg);

/* The kernel has accepted all that waited.  Called from the loop only; it may not free the
 * channel. */
typedef void channel_emptied_fn(void *arg);

/* Receives a descriptor and owns it. */
typedef void channel_late_fn(int fd, void *arg);

/* The channel owns fd. */
struct channel *channel_new(struct event_base *base, int fd, channel_fn *fn, channel_lost_fn *lost,
    void *arg);
/* Cancels open requests, closes and frees; no callback is called. */
void channel_free(struct channel **c);
/* For a peer that was replaced: open requests end with REQUEST_LOST, then like channel_free.  Not
 * from inside request_ask. */
void channel_end(struct channel **c);

/* The two ends of a channel, with buffers large enough for the largest packet.  -1: errno, ENOBUFS
 * when net.core.wmem_max is below channel_buffer_needed and this process may not exceed it. */
int channel_pair(int ends_out[2]) MUST_USE;
/* The value of net.core.wmem_max that channel_pair needs. */
size_t channel_buffer_needed(void);

enum { CHANNEL_WAITING_MAX = 64 << 20 };

/* 0, or -1: nothing was sent.  Then either the channel is closed or will be (`lost` is called
 * soon), or only this message is too large.  fd >= 0 is passed with it and stays the caller's; when
 * it cannot be passed (EMFILE, ETOOMANYREFS), the message arrives without it, with is_fd_lost. */
int channel_send(struct channel *c, enum message_type type, const void *message, int fd) MUST_USE;
/* The same for the answer to request `call`; 0: no answer is expected, nothing is sent.  When only
 * this answer cannot be sent, it is replaced by a refusal: the request ends. */
int channel_answer(struct channel *c, uint64_t call, enum message_type type, const void *message,
    int fd) MUST_USE;
/* Sends a refusal instead of an answer: the request ends with REQUEST_ERROR.  Nothing for call
 * 0. */
void channel_refuse(struct channel *c, uint64_t call);

/* False: it accepts no more messages; `lost` was called or will be. */
bool channel_is_open(const struct channel *c);
/* Sets the function that gets the descriptors of answers whose request has ended; without it they
 * are closed, which may wait for the disk. */
void channel_take_late(struct channel *c, channel_late_fn *fn, void *arg);
/* Sets auth.step_timeout, for the deadlines of requests that wait for such a step. */
void channel_step_timeout(struct channel *c, int64_t ms);

/* For request.c: the open requests, and sending one. */
struct requests *channel_requests(struct channel *c);
int channel_ask(struct channel *c, uint64_t request, enum message_type type, const void *message)
    MUST_USE;

/* The number of bytes that the kernel has not accepted: a caller that can, pauses when it grows. */
size_t channel_waiting(const struct channel *c);
/* Sets the function that is called, with the channel's arg, when that is 0 again. */
void channel_on_emptied(struct channel *c, channel_emptied_fn *fn);

#endif

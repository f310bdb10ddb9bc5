/*
 * request: one request to another role.  It is embedded in its owner's struct, is sent on a
 * channel, and ends exactly once: by its answer, an error, its deadline, or the loss of the peer.
 * If the owner cancels it before, there is no callback.  One table (message_question) has the type
 * of each answer and its deadline; no role sets a deadline or checks the type of an answer.  The
 * callback always comes from the loop, never from inside request_ask.  Its struct, and what is
 * called while it is open, is in ipc/requests.h.
 */
#ifndef IPC_REQUEST_H
#define IPC_REQUEST_H

#include "ipc/channel.h"
#include "ipc/requests.h"

/* Sets the callback; not while it is open. */
void request_init(struct request *r, request_fn *fn, void *arg);
/* From now on it has the short deadline of its type. */
void request_quick(struct request *r);
/* Sends the message, or queues it in the channel.  r must not be open, and may be used again after
 * its end. */
void request_ask(
    struct request *r, struct channel *c, enum message_type type, const void *message);
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

#endif

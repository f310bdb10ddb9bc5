/*
 * blocking: a request that blocks until its answer comes, on a descriptor that has no channel.
 * Only for TLS signatures, during which GnuTLS cannot be suspended.
 */
#ifndef IPC_BLOCKING_H
#define IPC_BLOCKING_H

#include "base/buf.h"
#include "ipc/requests.h"

struct blocking_question {
	uint64_t number; /* increases with each request */
	enum message_type type;
	const void *message;
};

/* From now on a request is sent and waits for its answer in one system call.  -1 with errno: it
 * takes two, as before. */
int blocking_prepare(int fd) MUST_USE;

/* Sends the request and waits for the answer.  Strings of the answer point into `room`, which the
 * caller keeps and whose ceiling limits the answer.  REQUEST_EXPIRED: not sent or not answered
 * within the deadline of its type; a late answer is skipped.  REQUEST_LOST: the descriptor cannot
 * be used any more. */
enum request_end blocking_ask(
    int fd, const struct blocking_question *q, struct buf *room, union message *out) MUST_USE;

/* Sends the request without waiting: REQUEST_ANSWERED when it was sent. */
enum request_end blocking_send(
    int fd, const struct blocking_question *q, struct buf *room) MUST_USE;
/* Reads the answers that have come, without waiting.  REQUEST_ANSWERED: the peer answered a
 * request, however late; REQUEST_EXPIRED: it did not. */
enum request_end blocking_poll(int fd, struct buf *room) MUST_USE;

#endif

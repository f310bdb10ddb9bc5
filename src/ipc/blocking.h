/*
 * blocking: a question that is waited for, on a descriptor that is no channel's.  For the TLS
 * signature alone, which GnuTLS cannot suspend.
 */
#ifndef IPC_BLOCKING_H
#define IPC_BLOCKING_H

#include "ipc/request.h"

struct blocking_question {
	uint64_t number; /* rises from question to question */
	enum message_type type;
	const void *message;
};

/* From now on a question waits for its answer in one system call.  -1 with errno: in two as
 * before. */
int blocking_prepare(int fd) MUST_USE;

/* Strings of the answer point into `room`, which the caller keeps and whose ceiling bounds the
 * answer.  REQUEST_EXPIRED: not taken or not answered in its type's time; the answer may still
 * come, and is passed over then.  REQUEST_LOST: this descriptor is good for nothing any more. */
enum request_end blocking_ask(
    int fd, const struct blocking_question *q, struct buf *room, union message *out) MUST_USE;

/* The same question without waiting: REQUEST_ANSWERED when it was sent. */
enum request_end blocking_send(
    int fd, const struct blocking_question *q, struct buf *room) MUST_USE;
/* Takes what has come without waiting.  REQUEST_ANSWERED: the peer answered something, however
 * late; REQUEST_EXPIRED: it did not. */
enum request_end blocking_poll(int fd, struct buf *room) MUST_USE;

#endif

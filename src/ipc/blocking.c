/*
 * blocking: the first read waits with the timeout of the descriptor, the rest with poll, so that a
 * call ends at the deadline of its question. Packets that are not the awaited answer, such as late
 * answers, are read and dropped, and a descriptor in them is closed. It shares no state with a
 * channel.
 */
#include "ipc/blocking.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/wire.h"

enum { LOOKS_MAX = 256 };

int
blocking_prepare(int fd)
{
	int64_t ms = clock_timeout_ms(MESSAGE_SIGN_MS);
	struct timeval timeout = {ms / 1000, ms % 1000 * 1000};
	int off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0)
		return -1;
	return ioctl(fd, FIONBIO, &off);
}

/* Reads the next packet into *room; REQUEST_EXPIRED: there is none.  flags MSG_DONTWAIT: does not
 * wait; 0: waits as long as the descriptor does. */
static enum request_end
take_packet(int fd, struct buf *room, int flags, struct wire_head *out)
{
	size_t size = room->max < WIRE_PACKET_MAX ? room->max : WIRE_PACKET_MAX;
	struct wire_packet got;
	char *to;

	buf_reset(room);
	to = buf_room(room, size);
	if (!to)
		return REQUEST_ERROR;
	if (wire_receive_one(fd, (struct iovec){to, size}, flags, &got) != 0)
		return errno == EAGAIN ? REQUEST_EXPIRED : REQUEST_LOST;
	if (got.fd >= 0)
		close(got.fd);
	if (got.is_invalid || !wire_head(got.bytes, out))
		return REQUEST_LOST;
	room->n = got.bytes.n;
	return REQUEST_ANSWERED;
}

static bool
wait_readable(int fd, int64_t until_us)
{
	int64_t left_ms;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n;

	do {
		left_ms = (until_us - clock_mono_us() + 999) / 1000;
		n = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static enum request_end
check_blocking_answer(enum message_type question, const struct wire_head *head,
    const struct buf *room, union message *out)
{
	enum message_type got;

	if (head->kind == WIRE_ANSWER &&
	    message_decode(str_from(buf_str(room), WIRE_HEAD_BYTES), &got, out) &&
	    got == message_question(question)->answer)
		return REQUEST_ANSWERED;
	return REQUEST_ERROR;
}

enum request_end
blocking_ask(int fd, const struct blocking_question *q, struct buf *room, union message *out)
{
	int64_t timeout_ms = clock_timeout_ms(message_question(q->type)->deadline_ms);
	int64_t until_us = clock_mono_us() + timeout_ms * 1000;
	enum request_end end = blocking_send(fd, q, room);
	struct wire_head head;
	int flags = 0;

	/* usually the first call waits until the answer is there, and is the only one */
	while (end == REQUEST_ANSWERED) {
		end = take_packet(fd, room, flags, &head);
		if (end == REQUEST_EXPIRED && wait_readable(fd, until_us))
			end = take_packet(fd, room, MSG_DONTWAIT, &head);
		if (end == REQUEST_ANSWERED && head.kind != WIRE_MESSAGE &&
		    head.request == q->number)
			return check_blocking_answer(q->type, &head, room, out);
		if (end == REQUEST_ANSWERED && clock_mono_us() >= until_us)
			end = REQUEST_EXPIRED;
		flags = MSG_DONTWAIT;
	}
	return end;
}

enum request_end
blocking_send(int fd, const struct blocking_question *q, struct buf *room)
{
	struct wire_head head = {q->number, WIRE_MESSAGE, false};

	if (!wire_pack(room, &head, q->type, q->message))
		return REQUEST_ERROR;
	if (wire_send(fd, buf_str(room), -1) == 0)
		return REQUEST_ANSWERED;
	return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? REQUEST_EXPIRED
	                                                             : REQUEST_LOST;
}

enum request_end
blocking_poll(int fd, struct buf *room)
{
	bool has_answer = false;
	struct wire_head head;

	for (int i = 0; i < LOOKS_MAX; i++) {
		enum request_end end = take_packet(fd, room, MSG_DONTWAIT, &head);

		if (end == REQUEST_EXPIRED)
			break;
		if (end != REQUEST_ANSWERED)
			return end;
		has_answer |= head.kind != WIRE_MESSAGE;
	}
	return has_answer ? REQUEST_ANSWERED : REQUEST_EXPIRED;
}

/*
 * wire: see the header.  Receiving takes what is there in one call: there is no second one to learn
 * that there is no more.
 */
#include "ipc/wire.h"

#include <errno.h>
#include <sys/socket.h>

bool
wire_pack(
    struct buf *out, uint32_t call, bool is_answer, enum message_type type, const void *message)
{
	uint8_t answer = is_answer;

	buf_reset(out);
	buf_add(out, &call, 4);
	buf_add(out, &answer, 1);
	return message_encode(type, message, out);
}

bool
wire_head(struct str bytes, uint32_t *call_out, bool *is_answer_out)
{
	if (bytes.n < WIRE_HEAD_BYTES || (uint8_t)bytes.p[4] > 1)
		return false;
	memcpy(call_out, bytes.p, 4);
	*is_answer_out = bytes.p[4];
	return true;
}

bool
wire_is_secret(struct str packet)
{
	uint16_t type;

	if (packet.n < WIRE_HEAD_BYTES + sizeof type)
		return false;
	memcpy(&type, packet.p + WIRE_HEAD_BYTES, sizeof type);
	return message_is_secret(type);
}

int
wire_send(int socket_fd, struct str packet, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {(char *)packet.p, packet.n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		m.msg_control = control;
		m.msg_controllen = sizeof control;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	for (;;) {
		if (sendmsg(socket_fd, &m, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

static struct wire_packet
packet_of(struct mmsghdr *m)
{
	struct wire_packet p = {.bytes = {m->msg_hdr.msg_iov->iov_base, m->msg_len}, .fd = -1};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m->msg_hdr);

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&p.fd, CMSG_DATA(c), sizeof p.fd);
	if (m->msg_hdr.msg_flags & MSG_TRUNC)
		p.bytes.n = 0;
	return p;
}

int
wire_receive(int socket_fd, char *room, size_t size, struct wire_packet *out, int count)
{
	_Alignas(struct cmsghdr) char control[WIRE_BATCH][CMSG_SPACE(sizeof(int))];
	struct mmsghdr m[WIRE_BATCH] = {0};
	struct iovec v[WIRE_BATCH];
	int n;

	for (int i = 0; i < count; i++) {
		v[i] = (struct iovec){room + (size_t)i * size, size};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1,
		    .msg_control = control[i], .msg_controllen = sizeof control[i]};
	}
	do
		n = recvmmsg(socket_fd, m, (unsigned)count, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
	while (n < 0 && errno == EINTR);
	for (int i = 0; i < n; i++)
		out[i] = packet_of(&m[i]);
	return n;
}

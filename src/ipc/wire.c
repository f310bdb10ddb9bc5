/*
 * wire: one call receives all packets that are there: no second call is needed to learn that there
 * are no more. Each descriptor that arrives is passed on in its packet or closed here. One that the
 * kernel could not pass is marked as lost: that is not a packet without a descriptor. Of what
 * arrives only the head and the type are read.
 */
#include "ipc/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* room for one more descriptor than allowed, so that a second one is noticed and closed */
	RIGHTS_BYTES = CMSG_SPACE(2 * sizeof(int)),
	SEND_BUFFER_BYTES = 212992, /* requested; the kernel doubles it, so two packets fit */
	KIND_BITS = 0x0f, FD_LOST_BIT = 0x10,
	KERNEL_OVERHEAD = 32, /* what unix_dgram_sendmsg needs free beside the packet */
};

bool
wire_pack(struct buf *out, const struct wire_head *head, enum message_type type,
    const void *message)
{
	char bytes[WIRE_HEAD_BYTES];

	memcpy(bytes, &head->request, 8);
	bytes[8] = (char)(head->kind | (head->is_fd_lost ? FD_LOST_BIT : 0));
	buf_reset(out);
	buf_add(out, bytes, sizeof bytes);
	return type == MESSAGE_NONE ? buf_ok(out) : message_encode(type, message, out);
}

bool
wire_head(struct str bytes, struct wire_head *out)
{
	uint8_t kind;

	if (bytes.n < WIRE_HEAD_BYTES)
		return false;
	kind = (uint8_t)bytes.p[8];
	memcpy(&out->request, bytes.p, 8);
	out->kind = (enum wire_kind)(kind & KIND_BITS);
	out->is_fd_lost = kind & FD_LOST_BIT;
	return (kind & ~(KIND_BITS | FD_LOST_BIT)) == 0 && out->kind <= WIRE_REFUSAL;
}

void
wire_mark_fd_lost(char *packet)
{
	packet[8] |= FD_LOST_BIT;
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
		if (sendmsg(socket_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

/* The first descriptor belongs to the packet; the protocol allows no second one. */
static void
take_descriptors(const struct cmsghdr *c, struct wire_packet *p)
{
	size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fd;

	for (size_t i = 0; i < count; i++) {
		memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
		if (p->fd < 0 && !p->is_invalid) {
			p->fd = fd;
			continue;
		}
		close(fd);
		p->is_invalid = true;
	}
}

static struct wire_packet
packet_of(struct mmsghdr *m)
{
	struct wire_packet p = {.bytes = {m->msg_hdr.msg_iov->iov_base, m->msg_len}, .fd = -1};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m->msg_hdr); c; c = CMSG_NXTHDR(&m->msg_hdr, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			take_descriptors(c, &p);
	/* a single descriptor is either passed or missing, so a truncation means more than one */
	p.is_invalid |= p.fd >= 0 && m->msg_hdr.msg_flags & MSG_CTRUNC;
	p.is_fd_lost = !p.is_invalid && m->msg_hdr.msg_flags & MSG_CTRUNC;
	if (p.is_invalid && p.fd >= 0) {
		close(p.fd);
		p.fd = -1;
	}
	if (m->msg_hdr.msg_flags & MSG_TRUNC)
		p.bytes.n = 0;
	return p;
}

int
wire_receive(int socket_fd, char *room, size_t size, struct wire_packet *out, int count)
{
	_Alignas(struct cmsghdr) char control[WIRE_BATCH][RIGHTS_BYTES];
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

int
wire_receive_one(int socket_fd, struct iovec room, int flags, struct wire_packet *out)
{
	_Alignas(struct cmsghdr) char control[RIGHTS_BYTES];
	struct mmsghdr m = {.msg_hdr = {.msg_iov = &room, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof control}};
	ssize_t n;

	do
		n = recvmsg(socket_fd, &m.msg_hdr, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	m.msg_len = (unsigned)n;
	*out = packet_of(&m);
	return 0;
}

size_t
wire_send_buffer_needed(void)
{
	/* the kernel doubles the requested size, and the allowed one */
	return (WIRE_PACKET_MAX + KERNEL_OVERHEAD + 1) / 2;
}

int
wire_grow_send_buffer(int socket_fd)
{
	int size = SEND_BUFFER_BYTES;

	if (setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0 &&
	    setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0)
		return -1;
	if (wire_has_send_buffer(socket_fd))
		return 0;
	errno = ENOBUFS;
	return -1;
}

bool
wire_has_send_buffer(int socket_fd)
{
	int size = 0;
	socklen_t n = sizeof size;

	return getsockopt(socket_fd, SOL_SOCKET, SO_SNDBUF, &size, &n) == 0 &&
	    size >= WIRE_PACKET_MAX + KERNEL_OVERHEAD;
}

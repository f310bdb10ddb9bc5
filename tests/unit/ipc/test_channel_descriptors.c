/* Descriptors on channels: those that cannot be sent or received, and that none stays open. */
#include "ipc/channel.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/wire.h"
#include "support/ask.h"
#include "unit/ipc/channel_end.h"

/* ---- descriptors ---- */

static unsigned
open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Sends one packet with `count` descriptors, as a peer that breaks the protocol does. */
static void
send_with_descriptors(int to, const void *bytes, size_t n, unsigned count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {0};
	struct iovec v = {(void *)bytes, n};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *c = (struct cmsghdr *)control;
	int fds[3] = {0, 1, 2};

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	cr_assert_eq(sendmsg(to, &h, MSG_NOSIGNAL), (ssize_t)n);
}

static void
log_packet(struct buf *out)
{
	struct message_log m = {0};

	buf_init(out, 1000);
	cr_assert(wire_pack(out, &(struct wire_head){0}, MESSAGE_LOG, &m));
}

Test(channel, two_descriptors_in_one_packet_close_the_channel)
{
	for (unsigned count = 2; count <= 3; count++) {
		struct event_base *base = event_base_new();
		struct end a = {.base = base};
		unsigned before;
		struct buf bytes;
		int fds[2];

		cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
		a.channel = channel_new(base, fds[0], end_on_packet, end_on_lost, &a);
		before = open_descriptors();
		log_packet(&bytes);
		send_with_descriptors(fds[1], bytes.p, bytes.n, count);
		event_base_dispatch(base);
		cr_assert_eq(a.lost, 1, "%u descriptors", count);
		cr_assert_eq(a.received, 0);
		cr_assert_eq(open_descriptors(), before - 1, "only the channel's own was closed");
		close(fds[1]);
		buf_clear(&bytes);
		event_base_free(base);
	}
}

Test(channel, a_packet_that_does_not_decode_closes_its_descriptor)
{
	struct event_base *base = event_base_new();
	struct end a = {.base = base};
	unsigned before;
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	a.channel = channel_new(base, fds[0], end_on_packet, end_on_lost, &a);
	before = open_descriptors();
	send_with_descriptors(fds[1], "nonsense", 8, 1);
	event_base_dispatch(base);
	cr_assert_eq(a.lost, 1);
	cr_assert_eq(open_descriptors(), before - 1);
	close(fds[1]);
	event_base_free(base);
}

/* The limit on descriptors lets the packet through, but not its descriptor. */
Test(channel, a_lost_descriptor_is_an_error_of_its_packet_only)
{
	struct end a = {.stop_at = 1}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct message_log m = {0};
	struct rlimit limit;
	int highest = dup(0);

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(channel_send(b.channel, MESSAGE_LOG, &m, 0), 0);
	limit.rlim_cur = (rlim_t)highest;
	close(highest);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	event_base_dispatch(base);
	cr_assert_eq(a.received, 1);
	cr_assert(a.is_fd_lost);
	cr_assert_eq(a.last_fd, -1);
	cr_assert_eq(channel_send(b.channel, MESSAGE_LOG, &m, -1), 0);
	a.stop_at = 2;
	event_base_dispatch(base);
	cr_assert_eq(a.received, 2, "the channel goes on");
	cr_assert_not(a.is_fd_lost);
	end_finish(base, &a, &b);
}

/* There is no descriptor for the copy that must wait: it is lost, but the message is not. */
Test(channel, a_descriptor_that_cannot_wait_is_lost_without_its_message)
{
	static char body[100000];
	struct end a = {0}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct message_commit large = {.body = {body, sizeof body}};
	struct message_log m = {0};
	struct rlimit limit, low;
	int highest = dup(0);

	for (; channel_waiting(b.channel) == 0; a.stop_at++)
		cr_assert_eq(channel_send(b.channel, MESSAGE_COMMIT, &large, -1), 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)highest;
	close(highest);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	cr_assert_eq(channel_send(b.channel, MESSAGE_LOG, &m, 0), 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	a.stop_at++;
	event_base_dispatch(base);
	cr_assert(a.is_fd_lost);
	cr_assert_eq(a.last_fd, -1);
	cr_assert_eq(a.lost + b.lost, 0);
	end_finish(base, &a, &b);
}

/* Channels over a real socket pair: requests, descriptors, back-pressure, loss. */
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

Test(channel, a_request_is_answered_through_the_loop)
{
	struct end a = {.stop_at = 1}, b = {.answers = true};
	struct event_base *base = end_pair(&a, &b);

	(void)end_commit(&a);
	cr_assert_eq(a.answered, 0);
	event_base_dispatch(base);
	cr_assert_eq(a.answered, 1);
	cr_assert_eq(b.received, 1);
	end_finish(base, &a, &b);
}

Test(channel, a_cancelled_request_has_no_callback)
{
	struct end a = {.stop_at = 1}, b = {.answers = true};
	struct event_base *base = end_pair(&a, &b);
	struct request *first = end_commit(&a);

	request_cancel(first);
	request_cancel(first);
	cr_assert_neq(end_commit(&a)->number, 1, "a number is never used again");
	event_base_dispatch(base);
	cr_assert_eq(b.received, 2);
	cr_assert_eq(a.answered, 1);
	end_finish(base, &a, &b);
}

Test(channel, a_lost_peer_ends_every_open_request)
{
	struct end a = {0}, b = {0};
	struct event_base *base = end_pair(&a, &b);

	for (int i = 0; i < 100; i++)
		(void)end_commit(&a);
	channel_free(&b.channel);
	event_base_dispatch(base);
	cr_assert_eq(a.unanswered, 100);
	cr_assert_eq(a.lost, 1);
	end_finish(base, &a, &b);
}

struct chain {
	struct channel *channel;
	struct request request;
	unsigned sent, ended;
};

/* Sends the next request in the callback of the last, as a client with several commands does. */
static void
ask_next(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct chain *chain = arg;
	struct message_commit m = {.envelope = STR("e"), .header = STR("h"), .body = STR("b")};

	(void)p;
	cr_assert_neq((int)end, REQUEST_ANSWERED);
	chain->ended++;
	if (chain->sent == 20)
		return;
	chain->sent++;
	request_ask(&chain->request, chain->channel, MESSAGE_COMMIT, &m);
}

Test(channel, requests_sent_while_the_channel_is_lost_end_too)
{
	struct end a = {0}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct chain chain = {.channel = a.channel, .sent = 1};
	struct message_commit m = {.envelope = STR("e"), .header = STR("h"), .body = STR("b")};

	request_init(&chain.request, ask_next, &chain);
	request_ask(&chain.request, a.channel, MESSAGE_COMMIT, &m);
	channel_free(&b.channel);
	event_base_dispatch(base);
	cr_assert_eq(a.lost, 1);
	cr_assert_eq(chain.sent, 20);
	cr_assert_eq(chain.ended, 20, "each that was asked ends");
	end_finish(base, &a, &b);
}

Test(channel, messages_of_a_closed_peer_are_still_received)
{
	struct end a = {0}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct message_release m = {.session = 1, .number = 2};

	for (int i = 0; i < 50; i++)
		cr_assert_eq(channel_send(b.channel, MESSAGE_RELEASE, &m, -1), 0);
	channel_free(&b.channel);
	cr_assert_eq(channel_send(a.channel, MESSAGE_RELEASE, &m, -1), -1);
	event_base_dispatch(base);
	cr_assert_eq(a.received, 50);
	cr_assert_eq(a.lost, 1);
	end_finish(base, &a, &b);
}

Test(channel, a_descriptor_is_passed)
{
	struct end a = {.stop_at = 1}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct message_log m = {0};
	int fds[2];
	char c = 0;

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(channel_send(b.channel, MESSAGE_LOG, &m, fds[1]), 0);
	close(fds[1]);
	event_base_dispatch(base);
	cr_assert_geq(a.last_fd, 0);
	cr_assert_eq(write(a.last_fd, "x", 1), 1);
	cr_assert_eq(read(fds[0], &c, 1), 1);
	cr_assert_eq(c, 'x');
	close(fds[0]);
	close(a.last_fd);
	end_finish(base, &a, &b);
}

Test(channel, messages_that_the_kernel_does_not_accept_wait_in_order)
{
	static char body[100000];
	struct end a = {.stop_at = 300}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct message_commit m = {.body = {body, sizeof body}};

	for (int i = 0; i < 300; i++)
		cr_assert_eq(channel_send(b.channel, MESSAGE_COMMIT, &m, -1), 0);
	cr_assert_gt(channel_waiting(b.channel), 0);
	event_base_dispatch(base);
	cr_assert_eq(a.received, 300);
	cr_assert_eq(channel_waiting(b.channel), 0);
	end_finish(base, &a, &b);
}

static void
count_emptied(void *arg)
{
	struct end *e = arg;

	cr_assert_eq(channel_waiting(e->channel), 0);
	e->emptied++;
}

Test(channel, emptied_is_called_once_when_nothing_waits)
{
	static char body[100000];
	struct end a = {.stop_at = 50}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct message_commit m = {.body = {body, sizeof body}};

	channel_on_emptied(b.channel, count_emptied);
	for (int i = 0; i < 50; i++)
		cr_assert_eq(channel_send(b.channel, MESSAGE_COMMIT, &m, -1), 0);
	cr_assert_gt(channel_waiting(b.channel), 0);
	cr_assert_eq(b.emptied, 0);
	event_base_dispatch(base);
	cr_assert_eq(a.received, 50);
	cr_assert_eq(b.emptied, 1);
	end_finish(base, &a, &b);
}

Test(channel, the_queue_is_limited)
{
	static char body[130000];
	struct end a = {0}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct message_commit m = {.body = {body, sizeof body}};
	int sent = 0;

	while (sent < 10000 && channel_send(b.channel, MESSAGE_COMMIT, &m, -1) == 0)
		sent++;
	cr_assert_lt(sent, 1000);
	cr_assert_leq(channel_waiting(b.channel), CHANNEL_WAITING_MAX);
	end_finish(base, &a, &b);
}

Test(channel, a_handler_may_free_its_channel)
{
	struct end a = {.frees = true, .stop_at = 1}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct message_release m = {0};

	cr_assert_eq(channel_send(b.channel, MESSAGE_RELEASE, &m, -1), 0);
	cr_assert_eq(channel_send(b.channel, MESSAGE_RELEASE, &m, -1), 0);
	event_base_dispatch(base);
	cr_assert_eq(a.received, 1);
	end_finish(base, &a, &b);
}

#ifndef SANITIZERS /* which forbids to read what is not one's own */
/* The number of copies in this process's memory of 16 octets that no other text has. */
static unsigned
count_in_memory(const unsigned char odd[16])
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned char whole[16];
	char line[512], mode[8];
	unsigned long from, to;
	unsigned found = 0;

	for (size_t i = 0; i < sizeof whole; i++)
		whole[i] = odd[i] ^ 0x5a;
	while (fgets(line, sizeof line, maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' ||
		    mode[0] != 'r' || strstr(line, "[stack]"))
			continue;
		for (const char *at = (const char *)from;
		    (at = memmem(at, to - (unsigned long)at, whole, sizeof whole)); at++)
			found++;
	}
	fclose(maps);
	return found;
}

/* Passwords remain neither in the sender's buffer, nor in the queue, nor in the receiver's
 * buffer. */
Test(channel, secrets_are_wiped)
{
	static const unsigned char odd[16] = "jM#x0-Vw!q.8Zr_";
	struct end a = {0}, b = {.stop_at = 3000};
	struct event_base *base = end_pair(&a, &b);
	struct message_auth_step m = {.session = 7};
	char text[64];

	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < 16; i++)
		text[i] = (char)(odd[i] ^ 0x5a);
	m.response = str_make(text, sizeof text);
	for (unsigned i = 0; i < b.stop_at; i++)
		cr_assert_eq(channel_send(a.channel, MESSAGE_AUTH_STEP, &m, -1), 0);
	cr_assert_gt(channel_waiting(a.channel), 0);
	cr_assert_gt(count_in_memory(odd), 1);
	event_base_dispatch(base);
	cr_assert_eq(b.received, b.stop_at);
	cr_assert_eq(channel_waiting(a.channel), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	memset(text, 0, sizeof text);
	cr_assert_eq(b.text[0], 0);
	cr_assert_eq(count_in_memory(odd), 0);
	end_finish(base, &a, &b);
}
#endif

Test(channel, an_invalid_packet_closes_the_channel)
{
	struct event_base *base = event_base_new();
	struct end a = {.base = base};
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	a.channel = channel_new(base, fds[0], end_on_packet, end_on_lost, &a);
	cr_assert_eq(write(fds[1], "nonsense", 8), 8);
	event_base_dispatch(base);
	cr_assert_eq(a.lost, 1);
	cr_assert_eq(a.received, 0);
	close(fds[1]);
	event_base_free(base);
}

/* ---- buffers ---- */

/* The largest packet fits, whatever the system's default is. */
Test(channel, a_pair_has_room_for_the_largest_packet)
{
	static char body[MESSAGE_BYTES_MAX - 100];
	struct message_commit m = {.body = {body, sizeof body}};
	int fds[2], small = 1;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	cr_assert_not(wire_has_send_buffer(fds[0]));
	cr_assert_eq(wire_grow_send_buffer(fds[0]), 0);
	cr_assert(wire_has_send_buffer(fds[0]));
	close(fds[0]);
	close(fds[1]);
	cr_assert_eq(channel_pair(fds), 0);
	for (int i = 0; i < 2; i++) {
		struct event_base *base = event_base_new();
		struct end a = {.stop_at = 1, .base = base}, b = {.base = base};

		if (i == 1)
			cr_assert_eq(channel_pair(fds), 0);
		a.channel = channel_new(base, fds[i], end_on_packet, end_on_lost, &a);
		b.channel = channel_new(base, fds[!i], end_on_packet, end_on_lost, &b);
		cr_assert_eq(channel_send(b.channel, MESSAGE_COMMIT, &m, -1), 0);
		cr_assert_eq(channel_waiting(b.channel), 0);
		event_base_dispatch(base);
		cr_assert_eq(a.received, 1);
		end_finish(base, &a, &b);
	}
	cr_assert_eq(wire_grow_send_buffer(0), -1, "no socket");
	cr_assert_leq(channel_buffer_needed(), 212992 / 2 + 64,
	    "the default of net.core.wmem_max is more than enough");
}

/* ---- sending fails ---- */

/* A socket whose buffer is too small for our packets refuses them with EMSGSIZE. */
Test(channel, a_failed_send_closes_the_channel_from_the_loop)
{
	static char body[100000];
	struct end a = {0}, b = {0};
	struct event_base *base = end_pair(&a, &b);
	struct message_commit m = {.body = {body, sizeof body}};
	struct message_release small = {.session = 1, .number = 2};
	int size = 1;

	cr_assert_eq(setsockopt(a.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
	cr_assert_eq(channel_send(b.channel, MESSAGE_RELEASE, &small, -1), 0);
	cr_assert_eq(channel_send(a.channel, MESSAGE_COMMIT, &m, -1), -1);
	cr_assert_eq(a.lost, 0, "not from inside the sending call");
	event_base_dispatch(base);
	cr_assert_eq(a.received, 1, "what the peer sent before is still received");
	cr_assert_eq(a.lost, 1);
	end_finish(base, &a, &b);
}

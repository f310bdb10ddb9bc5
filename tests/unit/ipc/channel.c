/* Channels over a real socket pair: calls, descriptors, back-pressure, loss. */
#include "ipc/channel.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
	struct channel *channel;
	struct event_base *base;
	unsigned heard, answered, unanswered, lost;
	uint32_t last_call;
	int last_fd;
	bool answers;      /* answer each ask */
	bool frees;        /* free the channel in the handler */
	const char *words; /* of AUTH_STEP, in the channel's buffer */
	unsigned stop_at;  /* leave the loop after so many heard or answered */
};

static void
on_packet(struct channel *c, const struct packet *p, void *arg)
{
	struct end *e = arg;
	struct message_verdict v = {.status = status_make(250, "2.0.0", "ok")};

	e->heard++;
	e->last_call = p->call;
	e->last_fd = p->fd;
	if (p->type == MESSAGE_AUTH_STEP) {
		e->words = p->message->auth_step.response.p;
		cr_assert(*e->words);
	}
	if (e->answers)
		cr_assert_eq(channel_answer(c, p->call, MESSAGE_VERDICT, &v, -1), 0);
	if (e->frees)
		channel_free(&e->channel);
	if (e->heard == e->stop_at)
		event_base_loopbreak(e->base);
}

static void
on_lost(struct channel *c, void *arg)
{
	struct end *e = arg;

	(void)c;
	e->lost++;
	channel_free(&e->channel);
	event_base_loopbreak(e->base);
}

static void
on_answer(const struct packet *p, void *arg)
{
	struct end *e = arg;

	if (p)
		e->answered++;
	else
		e->unanswered++;
	if (e->answered == e->stop_at)
		event_base_loopbreak(e->base);
}

static struct event_base *
pair(struct end *a, struct end *b)
{
	struct event_base *base = event_base_new();
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	a->base = b->base = base;
	a->channel = channel_new(base, fds[0], on_packet, on_lost, a);
	b->channel = channel_new(base, fds[1], on_packet, on_lost, b);
	return base;
}

static void
finish(struct event_base *base, struct end *a, struct end *b)
{
	channel_free(&a->channel);
	channel_free(&b->channel);
	event_base_free(base);
}

static uint32_t
ask(struct end *e)
{
	struct message_reserve m = {.session = 1, .number = 1, .user = STR("alice"), .recipients = 1};

	return channel_ask(e->channel, MESSAGE_RESERVE, &m, on_answer, e);
}

Test(channel, a_call_is_answered_through_the_loop)
{
	struct end a = {.stop_at = 1}, b = {.answers = true};
	struct event_base *base = pair(&a, &b);

	cr_assert_neq(ask(&a), 0);
	cr_assert_eq(a.answered, 0);
	event_base_dispatch(base);
	cr_assert_eq(a.answered, 1);
	cr_assert_eq(b.heard, 1);
	finish(base, &a, &b);
}

Test(channel, a_cancelled_call_finds_no_one)
{
	struct end a = {.stop_at = 1}, b = {.answers = true};
	struct event_base *base = pair(&a, &b);
	uint32_t first = ask(&a);

	channel_cancel(a.channel, first);
	cr_assert_neq(ask(&a), first);
	event_base_dispatch(base);
	cr_assert_eq(b.heard, 2);
	cr_assert_eq(a.answered, 1);
	finish(base, &a, &b);
}

Test(channel, a_lost_peer_answers_every_open_call)
{
	struct end a = {0}, b = {0};
	struct event_base *base = pair(&a, &b);

	for (int i = 0; i < 100; i++)
		cr_assert_neq(ask(&a), 0);
	channel_free(&b.channel);
	event_base_dispatch(base);
	cr_assert_eq(a.unanswered, 100);
	cr_assert_eq(a.lost, 1);
	finish(base, &a, &b);
}

Test(channel, what_a_dead_peer_said_is_still_heard)
{
	struct end a = {0}, b = {0};
	struct event_base *base = pair(&a, &b);
	struct message_release m = {.session = 1, .number = 2};

	for (int i = 0; i < 50; i++)
		cr_assert_eq(channel_send(b.channel, MESSAGE_RELEASE, &m, -1), 0);
	channel_free(&b.channel);
	cr_assert_eq(channel_send(a.channel, MESSAGE_RELEASE, &m, -1), -1);
	event_base_dispatch(base);
	cr_assert_eq(a.heard, 50);
	cr_assert_eq(a.lost, 1);
	finish(base, &a, &b);
}

Test(channel, a_descriptor_travels)
{
	struct end a = {.stop_at = 1}, b = {0};
	struct event_base *base = pair(&a, &b);
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
	finish(base, &a, &b);
}

Test(channel, more_than_the_kernel_takes_waits_in_order)
{
	static char body[100000];
	struct end a = {.stop_at = 300}, b = {0};
	struct event_base *base = pair(&a, &b);
	struct message_commit m = {.body = {body, sizeof body}};

	for (int i = 0; i < 300; i++)
		cr_assert_eq(channel_send(b.channel, MESSAGE_COMMIT, &m, -1), 0);
	cr_assert_gt(channel_waiting(b.channel), 0);
	event_base_dispatch(base);
	cr_assert_eq(a.heard, 300);
	cr_assert_eq(channel_waiting(b.channel), 0);
	finish(base, &a, &b);
}

Test(channel, what_waits_is_bounded)
{
	static char body[130000];
	struct end a = {0}, b = {0};
	struct event_base *base = pair(&a, &b);
	struct message_commit m = {.body = {body, sizeof body}};
	int sent = 0;

	while (sent < 10000 && channel_send(b.channel, MESSAGE_COMMIT, &m, -1) == 0)
		sent++;
	cr_assert_lt(sent, 1000);
	cr_assert_leq(channel_waiting(b.channel), CHANNEL_WAITING_MAX);
	finish(base, &a, &b);
}

Test(channel, a_handler_may_free_its_channel)
{
	struct end a = {.frees = true, .stop_at = 1}, b = {0};
	struct event_base *base = pair(&a, &b);
	struct message_release m = {0};

	cr_assert_eq(channel_send(b.channel, MESSAGE_RELEASE, &m, -1), 0);
	cr_assert_eq(channel_send(b.channel, MESSAGE_RELEASE, &m, -1), 0);
	event_base_dispatch(base);
	cr_assert_eq(a.heard, 1);
	finish(base, &a, &b);
}

#ifndef __SANITIZE_ADDRESS__ /* which forbids to read what is not one's own */
/* How often 16 octets that no other text has stand in this process's memory. */
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

/* Passwords stay neither where they were sent from, nor where they waited, nor where they came. */
Test(channel, secrets_are_wiped)
{
	static const unsigned char odd[16] = "jM#x0-Vw!q.8Zr_";
	struct end a = {0}, b = {.stop_at = 3000};
	struct event_base *base = pair(&a, &b);
	struct message_auth_step m = {.session = 7};
	char words[64];

	memset(words, 'x', sizeof words);
	for (size_t i = 0; i < 16; i++)
		words[i] = (char)(odd[i] ^ 0x5a);
	m.response = str_make(words, sizeof words);
	for (unsigned i = 0; i < b.stop_at; i++)
		cr_assert_eq(channel_send(a.channel, MESSAGE_AUTH_STEP, &m, -1), 0);
	cr_assert_gt(channel_waiting(a.channel), 0);
	cr_assert_gt(count_in_memory(odd), 1);
	event_base_dispatch(base);
	cr_assert_eq(b.heard, b.stop_at);
	cr_assert_eq(channel_waiting(a.channel), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	memset(words, 0, sizeof words);
	cr_assert_eq(b.words[0], 0);
	cr_assert_eq(count_in_memory(odd), 0);
	finish(base, &a, &b);
}
#endif

Test(channel, nonsense_ends_the_channel)
{
	struct event_base *base = event_base_new();
	struct end a = {.base = base};
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	a.channel = channel_new(base, fds[0], on_packet, on_lost, &a);
	cr_assert_eq(write(fds[1], "nonsense", 8), 8);
	event_base_dispatch(base);
	cr_assert_eq(a.lost, 1);
	cr_assert_eq(a.heard, 0);
	close(fds[1]);
	event_base_free(base);
}

static void *
answering_thread(void *arg)
{
	struct end e = {.base = event_base_new(), .answers = true, .stop_at = 2};

	e.channel = channel_new(e.base, *(int *)arg, on_packet, on_lost, &e);
	event_base_dispatch(e.base);
	channel_free(&e.channel);
	event_base_free(e.base);
	return NULL;
}

Test(channel, the_blocking_call)
{
	struct message_sign m = {.data = STR("digest")};
	struct channel_question hasty = {MESSAGE_SIGN, &m, 20}, patient = {MESSAGE_SIGN, &m, 5000};
	enum message_type type;
	union message out;
	struct buf room;
	pthread_t thread;
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	buf_init(&room, 1 << 20);
	cr_assert_eq(channel_call_blocking(fds[0], &hasty, &room, &type, &out), -1);
	cr_assert_eq(pthread_create(&thread, NULL, answering_thread, &fds[1]), 0);
	/* the answer to the call that was given up comes first and is passed over */
	cr_assert_eq(channel_call_blocking(fds[0], &patient, &room, &type, &out), 0);
	cr_assert_eq(type, MESSAGE_VERDICT);
	cr_assert_eq(out.verdict.status.code, 250);
	pthread_join(thread, NULL);
	cr_assert_eq(channel_call_blocking(fds[0], &patient, &room, &type, &out), -1);
	close(fds[0]);
	buf_clear(&room);
}

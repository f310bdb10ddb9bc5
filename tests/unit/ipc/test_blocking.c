/* Blocking requests: late answers, a peer that reads nothing, a peer that has closed. */
#include "ipc/blocking.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/channel.h"

struct answering {
	struct event_base *base;
	struct channel *channel;
	int fd;
	unsigned count;
};

static void
answer_sign(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct answering *a = arg;
	struct message_signed m = {.ok = true, .signature = STR("signature")};

	if (p->type == MESSAGE_SIGN)
		cr_assert_eq(channel_answer(c, p->call, MESSAGE_SIGNED, &m, -1), 0);
	else
		channel_refuse(c, p->call);
	if (--a->count == 0)
		event_base_loopbreak(a->base);
}

static void
lost(struct channel *c, void *arg)
{
	struct answering *a = arg;

	(void)c;
	event_base_loopbreak(a->base);
}

static void *
answering_thread(void *arg)
{
	struct answering *a = arg;

	a->base = event_base_new();
	a->channel = channel_new(a->base, a->fd, answer_sign, lost, a);
	event_base_dispatch(a->base);
	channel_free(&a->channel);
	event_base_free(a->base);
	return NULL;
}

Test(blocking, a_late_answer_is_skipped, .timeout = 60)
{
	struct message_sign m = {.data = STR("digest")};
	struct blocking_question q = {0, MESSAGE_SIGN, &m};
	struct answering other = {.count = 3};
	pthread_t thread;
	union message out;
	struct buf room;
	int fds[2];

	cr_assert_eq(channel_pair(fds), 0);
	other.fd = fds[1];
	buf_init(&room, 16384);
	clock_shorten_timeouts(100);
	q.number++;
	cr_assert_eq(blocking_ask(fds[0], &q, &room, &out), REQUEST_EXPIRED);
	clock_shorten_timeouts(1);
	cr_assert_eq(blocking_poll(fds[0], &room), REQUEST_EXPIRED, "nothing has come");
	cr_assert_eq(pthread_create(&thread, NULL, answering_thread, &other), 0);
	q.number++;
	cr_assert_eq(blocking_ask(fds[0], &q, &room, &out), REQUEST_ANSWERED);
	cr_assert(str_eq(out.signature.signature, STR("signature")));
	q.number++;
	q.type = MESSAGE_KEY_ASK;
	q.message = &(struct message_key_ask){0};
	cr_assert_eq(blocking_ask(fds[0], &q, &room, &out), REQUEST_ERROR, "refused");
	pthread_join(thread, NULL);
	cr_assert_eq(blocking_ask(fds[0], &q, &room, &out), REQUEST_LOST);
	cr_assert_eq(blocking_poll(fds[0], &room), REQUEST_LOST);
	close(fds[0]);
	buf_clear(&room);
}

/* A stopped peer reads nothing: when its buffer is full, sending must not block either. */
Test(blocking, a_full_buffer_does_not_block_for_ever, .timeout = 60)
{
	struct message_sign m = {.data = STR("digest")};
	struct blocking_question q = {1, MESSAGE_SIGN, &m};
	union message out;
	struct buf room;
	int fds[2], sent = 0;

	cr_assert_eq(channel_pair(fds), 0);
	buf_init(&room, 16384);
	while (blocking_send(fds[0], &q, &room) == REQUEST_ANSWERED && sent < 100000)
		sent++;
	cr_assert_lt(sent, 100000);
	cr_assert_eq(blocking_ask(fds[0], &q, &room, &out), REQUEST_EXPIRED);
	close(fds[0]);
	close(fds[1]);
	buf_clear(&room);
}

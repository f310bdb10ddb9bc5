/* A connection is used again only while the host has sent nothing and has not closed it. */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"

static void
ignore_input(struct stream *s, void *arg)
{
	(void)s;
	(void)arg;
}

static void
ignore_end(struct stream *s, enum stream_end why, void *arg)
{
	(void)s;
	(void)why;
	(void)arg;
}

static const struct stream_events events = {.readable = ignore_input, .ended = ignore_end};

/* The loop does not run: the state between the arrival of input and its event. */
Test(relay_connection_pool, input_that_the_loop_has_not_seen_counts)
{
	struct event_base *base = event_base_new();
	struct stream *s;
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	s = stream_new(base, ends[0], &events, NULL);
	stream_read(s, true);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_expect(stream_is_quiet(s));
	cr_expect_eq(write(ends[1], "250 stale\r\n", 11), 11);
	cr_expect_not(stream_is_quiet(s), "unread bytes");
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_expect_not(stream_is_quiet(s), "input that was not dropped");
	stream_drop(s, stream_input(s).n);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_expect(stream_is_quiet(s));
	close(ends[1]);
	cr_expect_not(stream_is_quiet(s), "the host has closed");
	stream_free(&s);
	event_base_free(base);
}

/*
 * stream without TLS: order of events, limits, ends.
 */
#include "net/stream.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "pair.h"

Test(stream, bytes_go_both_ways)
{
	struct pair p;

	pair_init(&p);
	stream_write(p.a.stream, STR("EHLO "));
	pair_settle(&p);
	cr_assert(p.b.got.n == 0, "nothing leaves before flush");
	stream_write(p.a.stream, STR("me\r\n"));
	stream_flush(p.a.stream);
	cr_assert(p.b.readable == 0, "never from inside a call");
	cr_assert(pair_until_got(&p, &p.b, 9));
	cr_assert(str_eq(buf_str(&p.b.got), STR("EHLO me\r\n")));
	cr_assert(p.b.readable == 1, "a group comes as one");
	side_send(&p.b, "250 ok\r\n");
	cr_assert(pair_until_got(&p, &p.a, 8));
	cr_assert(stream_waiting(p.b.stream) == 0);
	pair_clear(&p);
}

static void
free_me(struct side *s)
{
	stream_free(&s->stream);
}

Test(stream, may_be_freed_in_its_callbacks)
{
	struct pair p;

	pair_init(&p);
	p.b.then = free_me;
	p.a.frees_at_end = true;
	side_send(&p.a, "x");
	cr_assert(pair_until(&p, &p.a.ended, 1));
	cr_assert(!p.b.stream && !p.a.stream);
	cr_assert(p.a.why == STREAM_EOF);
	pair_clear(&p);
}

Test(stream, end_comes_once_and_after_the_input)
{
	struct pair p;

	pair_init_raw(&p);
	cr_assert(write(p.a.fd, "QUIT\r\n", 6) == 6);
	close(p.a.fd);
	p.a.fd = -1;
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.got.n == 6 && p.b.why == STREAM_EOF);
	pair_settle(&p);
	cr_assert(p.b.ended == 1);
	pair_clear(&p);
}

Test(stream, end_waits_for_a_reader)
{
	struct pair p;

	pair_init_raw(&p);
	stream_read(p.b.stream, false);
	cr_assert(write(p.a.fd, "x", 1) == 1);
	shutdown(p.a.fd, SHUT_WR);
	pair_settle(&p);
	cr_assert(p.b.ended == 0 && p.b.readable == 0);
	stream_read(p.b.stream, true);
	cr_assert(p.b.readable == 0);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.got.n == 1);
	pair_clear(&p);
}

Test(stream, reading_stops_at_the_ceiling)
{
	struct pair p;
	size_t sent = 0;
	char block[4096] = "";

	pair_init_raw(&p);
	fcntl(p.a.fd, F_SETFL, O_NONBLOCK);
	p.b.keeps_input = true;
	for (int i = 0; i < 2000; i++) {
		ssize_t n = write(p.a.fd, block, sizeof block);

		sent += n > 0 ? (size_t)n : 0;
		event_base_loop(p.base, EVLOOP_NONBLOCK);
	}
	cr_assert(sent < (1 << 20), "the peer is slowed down");
	cr_assert(stream_input(p.b.stream).n >= STREAM_INPUT_MAX);
	cr_assert(stream_input(p.b.stream).n <= STREAM_INPUT_MAX + (64 << 10));
	p.b.keeps_input = false;
	buf_adds(&p.b.got, stream_input(p.b.stream));
	stream_drop(p.b.stream, stream_input(p.b.stream).n);
	cr_assert(pair_until_got(&p, &p.b, sent));
	pair_clear(&p);
}

Test(stream, partial_drops_keep_the_rest)
{
	struct pair p;

	pair_init(&p);
	p.b.keeps_input = true;
	side_send(&p.a, "one two ");
	cr_assert(pair_until(&p, &p.b.readable, 1));
	stream_drop(p.b.stream, 4);
	side_send(&p.a, "three");
	cr_assert(pair_until(&p, &p.b.readable, 2));
	cr_assert(str_eq(stream_input(p.b.stream), STR("two three")));
	stream_drop(p.b.stream, 1000);
	cr_assert(stream_input(p.b.stream).n == 0);
	pair_clear(&p);
}

Test(stream, output_waits_for_a_slow_peer)
{
	struct pair p;
	static char block[1 << 20];

	pair_init(&p);
	stream_read(p.b.stream, false);
	stream_write(p.a.stream, str_make(block, sizeof block));
	stream_flush(p.a.stream);
	cr_assert(stream_waiting(p.a.stream) > 0);
	pair_settle(&p);
	cr_assert(p.a.drained == 0);
	stream_read(p.b.stream, true);
	cr_assert(pair_until_got(&p, &p.b, sizeof block));
	cr_assert(pair_until(&p, &p.a.drained, 1));
	cr_assert(stream_waiting(p.a.stream) == 0);
	pair_clear(&p);
}

Test(stream, output_has_a_ceiling)
{
	struct pair p;
	static char block[1 << 20];

	pair_init(&p);
	stream_read(p.b.stream, false);
	for (int i = 0; i < 18; i++) {
		stream_write(p.a.stream, str_make(block, sizeof block));
		stream_flush(p.a.stream);
	}
	cr_assert(p.a.ended == 0);
	cr_assert(pair_until(&p, &p.a.ended, 1));
	cr_assert(p.a.why == STREAM_ERROR && stream_error(p.a.stream) == ENOBUFS);
	pair_clear(&p);
}

Test(stream, deadline_is_absolute_and_movable)
{
	struct pair p;
	int64_t begin = clock_mono_ms();

	pair_init(&p);
	stream_deadline(p.b.stream, begin + 20);
	for (int i = 0; i < 1000; i++)
		stream_deadline(p.b.stream, begin + 60 + i % 7);
	side_send(&p.a, "a byte does not help");
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_EXPIRED);
	cr_assert(clock_mono_ms() >= begin + 60);
	stream_deadline(p.a.stream, begin + 10000);
	stream_deadline(p.a.stream, 1);
	cr_assert(pair_until(&p, &p.a.ended, 1), "an earlier one counts at once");
	pair_clear(&p);
}

static void
say_421(struct stream *s, void *arg)
{
	((struct side *)arg)->drained++;
	stream_write(s, STR("421 too slow\r\n"));
	stream_finish(s, 5000);
}

Test(stream, a_last_reply_at_the_deadline)
{
	struct stream_events events = side_events;
	struct pair p;
	int fds[2];

	pair_init(&p);
	events.expired = say_421;
	events.drained = NULL;
	p.b.frees_at_end = true;
	stream_free(&p.b.stream);
	stream_free(&p.a.stream);
	cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	p.a.stream = stream_new(p.base, fds[0], &side_events, &p.a);
	p.b.stream = stream_new(p.base, fds[1], &events, &p.b);
	stream_read(p.a.stream, true);
	stream_read(p.b.stream, true);
	stream_deadline(p.b.stream, clock_mono_ms() + 5);
	cr_assert(pair_until(&p, &p.a.ended, 1));
	cr_assert(str_eq(buf_str(&p.a.got), STR("421 too slow\r\n")));
	cr_assert(p.b.drained == 1);
	stream_free(&p.a.stream);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_EOF);
	pair_clear(&p);
}

Test(stream, no_deadline)
{
	struct pair p;

	pair_init(&p);
	stream_deadline(p.b.stream, clock_mono_ms() + 1);
	stream_deadline(p.b.stream, 0);
	usleep(5000);
	pair_settle(&p);
	cr_assert(p.b.ended == 0);
	pair_clear(&p);
}

Test(stream, finish_sends_the_rest)
{
	struct pair p;
	static char block[1 << 20];

	pair_init(&p);
	stream_read(p.a.stream, false);
	side_send(&p.a, "more that nobody reads");
	stream_write(p.b.stream, str_make(block, sizeof block));
	stream_write(p.b.stream, STR("221 bye\r\n"));
	stream_finish(p.b.stream, 5000);
	side_send(&p.a, "and more");
	pair_settle(&p);
	cr_assert(p.b.ended == 0);
	stream_read(p.a.stream, true);
	cr_assert(pair_until(&p, &p.a.ended, 1));
	cr_assert(p.a.got.n == sizeof block + 9 && p.a.why == STREAM_EOF);
	stream_free(&p.a.stream);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_EOF && p.b.readable == 0);
	pair_clear(&p);
}

Test(stream, finish_does_not_wait_for_ever)
{
	struct pair p;

	pair_init_raw(&p);
	stream_finish(p.b.stream, 20);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_EXPIRED);
	pair_clear(&p);
}

Test(stream, finish_after_the_peer_has_closed)
{
	struct pair p;

	pair_init_raw(&p);
	stream_read(p.b.stream, false);
	close(p.a.fd);
	p.a.fd = -1;
	pair_settle(&p);
	stream_finish(p.b.stream, 5000);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_EOF || p.b.why == STREAM_ERROR);
	pair_clear(&p);
}

Test(stream, the_peers_last_input_is_read_before_the_error)
{
	struct pair p;

	pair_init_raw(&p);
	cr_assert(write(p.a.fd, "421 go away\r\n", 13) == 13);
	close(p.a.fd);
	p.a.fd = -1;
	side_send(&p.b, "EHLO me\r\n");
	cr_assert(p.b.ended == 0);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.got.n == 13, "got %zu", p.b.got.n);
	cr_assert(p.b.why == STREAM_ERROR && stream_error(p.b.stream) == EPIPE);
	pair_clear(&p);
}

Test(stream, unseen_bytes)
{
	struct pair p;

	pair_init_raw(&p);
	p.b.keeps_input = true;
	cr_assert(!stream_has_unseen(p.b.stream));
	cr_assert(write(p.a.fd, "STARTTLS\r\n", 10) == 10);
	cr_assert(pair_until(&p, &p.b.readable, 1));
	cr_assert(!stream_has_unseen(p.b.stream));
	cr_assert(write(p.a.fd, "MAIL", 4) == 4);
	cr_assert(stream_has_unseen(p.b.stream));
	pair_clear(&p);
}

/* ---- over TCP ---- */

static int
listen_on(const char *address, struct sockaddr_storage *a, socklen_t *n)
{
	int fd;

	*a = (struct sockaddr_storage){.ss_family = strchr(address, ':') ? AF_INET6 : AF_INET};
	if (a->ss_family == AF_INET6)
		inet_pton(AF_INET6, address, &((struct sockaddr_in6 *)a)->sin6_addr);
	else
		inet_pton(AF_INET, address, &((struct sockaddr_in *)a)->sin_addr);
	*n = a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	fd = socket(a->ss_family, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)a, *n) != 0 || listen(fd, 5) != 0 ||
	    getsockname(fd, (struct sockaddr *)a, n) != 0)
		return -1;
	return fd;
}

Test(stream, connects_from_a_source)
{
	struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002)};
	struct sockaddr_storage to;
	struct pair p;
	socklen_t n;
	int fd, listener = listen_on("127.0.0.1", &to, &n);
	char text[INET6_ADDRSTRLEN_];
	uint16_t port;

	pair_init(&p);
	stream_free(&p.a.stream);
	p.a.stream = stream_connect(p.base,
	    &(struct stream_addresses){
	        (struct sockaddr *)&to, n, (struct sockaddr *)&source, sizeof source},
	    &side_events, &p.a);
	side_send(&p.a, "hello");
	cr_assert(p.a.connected == 0);
	cr_assert(pair_until(&p, &p.a.connected, 1));
	stream_peer(p.a.stream, text, &port);
	cr_assert(
	    strcmp(text, "127.0.0.1") == 0 && port == ntohs(((struct sockaddr_in *)&to)->sin_port));
	stream_local(p.a.stream, text, &port);
	cr_assert(strcmp(text, "127.0.0.2") == 0 && port != 0);
	fd = accept(listener, NULL, NULL);
	cr_assert(read(fd, text, 5) == 5, "what was written early was sent");
	close(fd);
	close(listener);
	pair_clear(&p);
}

Test(stream, failures_to_connect_come_through_the_loop)
{
	struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xcb007107)};
	struct sockaddr_storage to;
	struct pair p;
	socklen_t n;

	close(listen_on("127.0.0.1", &to, &n));
	pair_init(&p);
	stream_free(&p.a.stream);
	p.a.stream = stream_connect(p.base,
	    &(struct stream_addresses){.to = (struct sockaddr *)&to, .to_len = n}, &side_events,
	    &p.a);
	cr_assert(pair_until(&p, &p.a.ended, 1));
	cr_assert(p.a.why == STREAM_ERROR && stream_error(p.a.stream) == ECONNREFUSED);
	cr_assert(strcmp(p.a.text, "Connection refused") == 0);
	stream_free(&p.a.stream);
	p.a.stream = stream_connect(p.base,
	    &(struct stream_addresses){
	        (struct sockaddr *)&to, n, (struct sockaddr *)&source, sizeof source},
	    &side_events, &p.a);
	cr_assert(p.a.ended == 1);
	cr_assert(pair_until(&p, &p.a.ended, 2));
	cr_assert(stream_error(p.a.stream) == EADDRNOTAVAIL);
	pair_clear(&p);
}

Test(stream, no_descriptor_is_an_end_like_any_other)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	struct rlimit limit;
	struct pair p;

	pair_init(&p);
	stream_free(&p.a.stream);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &limit);
	p.a.stream = stream_connect(p.base,
	    &(struct stream_addresses){.to = (struct sockaddr *)&to, .to_len = sizeof to},
	    &side_events, &p.a);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	stream_read(p.a.stream, true);
	side_send(&p.a, "x");
	cr_assert(pair_until(&p, &p.a.ended, 1));
	cr_assert(stream_error(p.a.stream) == EMFILE);
	pair_clear(&p);
}

Test(stream, a_mapped_address_is_shown_as_ipv4)
{
	struct sockaddr_storage at;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	struct pair p;
	socklen_t n;
	int listener = listen_on("::", &at, &n), client, fd;
	char text[INET6_ADDRSTRLEN_];
	uint16_t port;

	if (listener < 0)
		cr_skip_test("no IPv6");
	to.sin_port = ((struct sockaddr_in6 *)&at)->sin6_port;
	client = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert(connect(client, (struct sockaddr *)&to, sizeof to) == 0);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	pair_init(&p);
	stream_free(&p.b.stream);
	p.b.stream = stream_new(p.base, fd, &side_events, &p.b);
	stream_peer(p.b.stream, text, &port);
	cr_assert(strcmp(text, "127.0.0.1") == 0 && port != 0, "%s", text);
	close(client);
	close(listener);
	pair_clear(&p);
}

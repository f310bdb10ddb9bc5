/*
 * stream_machine: the state machine itself: its own limits, no wake-up without effect, and no more
 * system calls than needed.
 */
#include "net/stream.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "calls.h"
#include "hand.h"
#include "net/stream_internal.h"

TestSuite(stream_machine, .init = world_begin, .fini = world_finish, .timeout = 60);

#ifdef STRICT_CHECKS
enum { SIGNAL_OF_A_FAULT = SIGABRT };
#else
enum { SIGNAL_OF_A_FAULT = 0 };
#endif

Test(stream_machine, a_wake_up_without_effect_ends_the_stream, .signal = SIGNAL_OF_A_FAULT)
{
	struct pair p;

	pair_init(&p);
	event_active(&p.b.stream->wake_event, EV_TIMEOUT, 0);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_ERROR);
	cr_assert(strcmp(p.b.text, "internal error: an event did nothing") == 0, "%s", p.b.text);
	cr_assert(pair_is_quiet(&p) && p.b.ended == 1);
	pair_clear(&p);
}

Test(stream_machine, a_wake_up_is_cancelled_with_its_reason)
{
	struct pair p;

	pair_init(&p);
	stream_read(p.b.stream, false);
	side_send(&p.a, "one");
	pair_settle(&p);
	p.b.keeps_input = true;
	stream_read(p.b.stream, true);
	pair_settle(&p);
	stream_read(p.b.stream, false);
	side_send(&p.a, "two");
	pair_settle(&p);
	for (int i = 0; i < 5; i++) {
		stream_read(p.b.stream, true);
		stream_read(p.b.stream, false);
		pair_settle(&p);
	}
	cr_assert(p.b.ended == 0 && p.b.readable == 1);
	stream_read(p.b.stream, true);
	cr_assert(pair_until(&p, &p.b.readable, 2));
	pair_clear(&p);
}

Test(stream_machine, the_handshake_has_a_limit_of_its_own)
{
	struct pair p;
	int64_t now = clock_mono_ms();

	pair_init(&p);
	stream_start_tls_server(p.b.stream, w.server);
	cr_assert(p.b.stream->is_own_limit);
	cr_assert(p.b.stream->deadline_ms >= now + STREAM_LIMIT_MS);
	stream_start_tls_client(p.a.stream, w.lax, "mail.example.com");
	cr_assert(pair_until(&p, &p.b.secured, 1));
	cr_assert(p.b.stream->deadline_ms == 0, "it ends with the handshake");
	pair_clear(&p);
	pair_init(&p);
	stream_deadline(p.b.stream, clock_mono_ms() + 5000);
	stream_start_tls_server(p.b.stream, w.server);
	cr_assert(!p.b.stream->is_own_limit, "the owner's counts");
	stream_deadline(p.b.stream, 0);
	cr_assert(p.b.stream->is_own_limit, "until it takes it away");
	p.b.stream->deadline_ms = clock_mono_ms() + 5;
	stream_set_timer(p.b.stream, clock_mono_ms());
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_EXPIRED);
	pair_clear(&p);
}

Test(stream_machine, finishing_has_a_limit_of_its_own)
{
	struct pair p;

	pair_init_raw(&p);
	stream_finish(p.b.stream, 5000);
	stream_deadline(p.b.stream, 0);
	cr_assert(p.b.stream->is_own_limit && p.b.stream->deadline_ms > 0);
	pair_clear(&p);
}

Test(stream_machine, tls_after_the_peer_has_ended)
{
	struct pair p;

	pair_init_raw(&p);
	stream_read(p.b.stream, true);
	p.b.keeps_input = true;
	cr_assert(write(p.a.fd, "STARTTLS\r\n", 10) == 10);
	cr_assert(pair_until(&p, &p.b.readable, 1));
	shutdown(p.a.fd, SHUT_WR);
	stream_read(p.b.stream, false);
	stream_start_tls_server(p.b.stream, w.server);
	cr_assert(pair_until(&p, &p.b.ended, 1), "although nothing is to be read");
	cr_assert(p.b.why == STREAM_TLS_FAILED);
	pair_clear(&p);
}

/* ---- alerts ---- */

Test(stream_machine, an_alert_that_cannot_be_sent_is_not_sent_again)
{
	struct pair p;
	unsigned sends;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	cr_assert(write(p.a.fd, "GET / HTTP/1.1\r\n\r\n", 18) == 18);
	close(p.a.fd);
	p.a.fd = -1;
	sends = calls.send;
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_TLS_FAILED);
	cr_assert(pair_is_quiet(&p) && calls.send - sends == 1, "%u", calls.send - sends);
	pair_clear(&p);
}

Test(stream_machine, the_peers_alert_is_reported_instead_of_the_failed_send)
{
	struct pair p;

	pair_init_raw(&p);
	cr_assert(write(p.a.fd, "\x15\x03\x03\0\x02\x02\x28", 7) == 7);
	close(p.a.fd);
	p.a.fd = -1;
	stream_start_tls_client(p.b.stream, w.lax, "mail.example.com");
	cr_assert(p.b.ended == 0);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_TLS_FAILED, "%d", p.b.why);
	cr_assert(strstr(p.b.text, "andshake failed"), "%s", p.b.text);
	pair_clear(&p);
}

/* ---- system calls ---- */

static void
expect_calls_of_rounds(struct pair *p)
{
	enum { ROUNDS = 100 };
	struct calls before = calls;

	for (unsigned i = 1; i <= ROUNDS; i++) {
		side_send(&p->a, "NOOP\r\n");
		cr_assert(pair_until_got(p, &p->b, 6 * (size_t)i));
		side_send(&p->b, "250 ok\r\n");
		cr_assert(pair_until_got(p, &p->a, 8 * (size_t)i));
	}
	cr_assert(calls.recv - before.recv == 2 * ROUNDS, "%u recv", calls.recv - before.recv);
	cr_assert(calls.send - before.send == 2 * ROUNDS, "%u send", calls.send - before.send);
	cr_assert(calls.control == before.control, "%u epoll_ctl", calls.control - before.control);
}

Test(stream_machine, one_recv_and_one_send_for_each_line)
{
	struct pair p;

	pair_init(&p);
	expect_calls_of_rounds(&p);
	pair_clear(&p);
}

Test(stream_machine, one_recv_and_one_send_for_each_line_in_tls)
{
	struct pair p;

	pair_init(&p);
	pair_secure(&p, w.server, w.lax, "mail.example.com");
	side_send(&p.b, "220 hi\r\n"); /* with the ticket */
	cr_assert(pair_until_got(&p, &p.a, 8));
	buf_reset(&p.a.got);
	expect_calls_of_rounds(&p);
	pair_clear(&p);
}

Test(stream_machine, calls_of_a_handshake)
{
	struct calls before;
	struct pair p;

	pair_init(&p);
	before = calls;
	pair_secure(&p, w.server, w.lax, "mail.example.com");
	pair_settle(&p);
	cr_assert(calls.send - before.send == 3,
	    "%u send: two flights of the client, one of the server", calls.send - before.send);
	cr_assert(calls.recv - before.recv == 3, "%u recv", calls.recv - before.recv);
	cr_assert(calls.control == before.control, "%u epoll_ctl", calls.control - before.control);
	pair_clear(&p);
}

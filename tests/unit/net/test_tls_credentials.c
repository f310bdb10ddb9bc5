/*
 * stream with TLS: both versions, certificates, tickets, ends, hostile bytes.
 */
#include "net/tls_credentials.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <malloc.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hand.h"
#include "net/stream.h"
#include "pair.h"

TestSuite(tls, .init = world_begin, .fini = world_finish);

Test(tls, both_ways)
{
	unsigned char one[32] = "", two[32] = "";
	struct pair p;

	pair_init(&p);
	pair_secure(&p, w.server, w.strict, "smtp.example.com");
	cr_assert(strcmp(stream_tls_version(p.a.stream), "TLSv1.3") == 0);
	cr_assert(stream_tls_is_verified(p.a.stream));
	cr_assert(stream_tls_exporter(p.a.stream, one) && stream_tls_exporter(p.b.stream, two));
	cr_assert(memcmp(one, two, 32) == 0);
	side_send(&p.a, "EHLO me\r\n");
	cr_assert(pair_until_got(&p, &p.b, 9));
	side_send(&p.b, "250 ok\r\n");
	cr_assert(pair_until_got(&p, &p.a, 8));
	stream_finish(p.b.stream, 5000);
	cr_assert(pair_until(&p, &p.a.ended, 1));
	cr_assert(p.a.why == STREAM_EOF);
	stream_free(&p.a.stream);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(w.ring.signatures == 1);
	pair_clear(&p);
}

/* ---- a handmade client ---- */

static const struct {
	const char *priority, *name;
	bool ok;
	const struct identity *who;
	const char *version;
} request_rows[] = {
    {"NORMAL", "mail.example.com", true, &w.ec, "TLSv1.3"},
    {"NORMAL", "deep.example.net", true, &w.other, "TLSv1.3"},
    {"NORMAL", "DEEP.example.NET", true, &w.other, "TLSv1.3"},
    {"NORMAL", "Other.Example.Org", true, &w.other, "TLSv1.3"},
    {"NORMAL:-VERS-TLS1.3", "deep.example.net", true, &w.other, "TLSv1.2"},
    {"NORMAL", "too.deep.example.net", true, &w.ec, "TLSv1.3"},
    {"NORMAL", "example.net", true, &w.ec, "TLSv1.3"},
    {"NORMAL:-VERS-TLS1.3:-ECDHE-ECDSA", "deep.example.net", true, &w.rsa, "TLSv1.2"},
    {"NORMAL", "unknown.example.org", true, &w.ec, "TLSv1.3"},
    {"NORMAL", NULL, true, &w.ec, "TLSv1.3"},
    {"NORMAL:-VERS-TLS1.3", "mail.example.com", true, &w.ec, "TLSv1.2"},
    {"NORMAL:-VERS-TLS1.3:-ECDHE-ECDSA", "mail.example.com", true, &w.rsa, "TLSv1.2"},
    {"NORMAL:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256", "mail.example.com",
        true, &w.rsa, "TLSv1.3"},
    {"NORMAL:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256", NULL, true, &w.rsa,
        "TLSv1.3"},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.1", NULL, false, NULL, ""},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.0", NULL, false, NULL, ""},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", NULL, false, NULL, ""},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA", NULL, false, NULL, ""},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ANON-ECDH", NULL, false, NULL, ""},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+3DES-CBC", NULL, false, NULL, ""},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC", NULL, false, NULL, ""},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-CBC", NULL, false, NULL, ""},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-CBC:+AES-128-GCM", NULL, true,
        &w.ec, "TLSv1.2"},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305", NULL, true, &w.ec,
        "TLSv1.2"},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+ARCFOUR-128", NULL, false, NULL, ""},
};

Test(tls, what_clients_may_request)
{
	for (size_t i = 0; i < sizeof request_rows / sizeof *request_rows; i++) {
		const struct identity *who;
		struct hand h = {0};
		struct pair p;

		pair_init_raw(&p);
		stream_start_tls_server(p.b.stream, w.server);
		hand_init(&h, &p, request_rows[i].priority, request_rows[i].name);
		cr_assert((hand_shake(&h) == 0) == request_rows[i].ok, "row %zu: %s", i, p.b.text);
		cr_assert(strcmp(stream_tls_version(p.b.stream), request_rows[i].version) == 0,
		    "row %zu", i);
		if (request_rows[i].ok) {
			hand_peer_kind(&h, &who);
			cr_assert(who == request_rows[i].who, "row %zu: another certificate", i);
			cr_assert(gnutls_group_get(h.session) == GNUTLS_GROUP_X25519, "row %zu", i);
		} else {
			cr_assert(pair_until(&p, &p.b.ended, 1));
			cr_assert(p.b.why == STREAM_TLS_FAILED && *p.b.text, "row %zu", i);
		}
		hand_clear(&h);
		pair_clear(&p);
	}
}

Test(tls, only_1_3)
{
	struct tls_server *t = ring_server(&w.ring, true);
	struct hand h = {0};
	struct pair p;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, t);
	hand_init(&h, &p, "NORMAL:-VERS-TLS1.3", NULL);
	cr_assert(hand_shake(&h) == GNUTLS_E_FATAL_ALERT_RECEIVED);
	hand_clear(&h);
	pair_clear(&p);
	tls_server_drop(&t);
}

Test(tls, exporter_in_1_2)
{
	unsigned char mine[32] = "";
	gnutls_datum_t theirs;
	struct hand h = {0};
	struct pair p;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	hand_init(&h, &p, "NORMAL:-VERS-TLS1.3", NULL);
	cr_assert(hand_shake(&h) == 0);
	cr_assert(stream_tls_has_exporter(p.b.stream));
	cr_assert(stream_tls_exporter(p.b.stream, mine));
	cr_assert(gnutls_session_channel_binding(h.session, GNUTLS_CB_TLS_EXPORTER, &theirs) == 0);
	cr_assert(theirs.size == 32 && memcmp(theirs.data, mine, 32) == 0);
	gnutls_free(theirs.data);
	hand_clear(&h);
	pair_clear(&p);
	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	hand_init(&h, &p, "NORMAL:-VERS-TLS1.3:%NO_SESSION_HASH", NULL);
	cr_assert(hand_shake(&h) == 0);
	cr_assert(!stream_tls_has_exporter(p.b.stream));
	cr_assert(!stream_tls_exporter(p.b.stream, mine), "no extended master secret, no binding");
	hand_clear(&h);
	pair_clear(&p);
}

Test(tls, tickets_are_valid_in_other_processes)
{
	static const char *const priorities[] = {"NORMAL", "NORMAL:-VERS-TLS1.3"};

	for (size_t i = 0; i < 2; i++) {
		struct tls_server *other = ring_server(&w.ring, false);
		struct hand h = {0};
		struct pair p;
		char c;

		for (int round = 0; round < 2; round++) {
			pair_init_raw(&p);
			stream_start_tls_server(p.b.stream, round ? other : w.server);
			hand_init(&h, &p, priorities[i], "mail.example.com");
			cr_assert(hand_shake(&h) == 0);
			side_send(&p.b, "x");
			cr_assert(hand_read(&h, &c, 1) == 1);
			cr_assert(
			    gnutls_session_is_resumed(h.session) == round, "%s", priorities[i]);
			cr_assert(stream_tls_is_resumed(p.b.stream) == round);
			if (round == 0)
				cr_assert(gnutls_session_get_data2(h.session, &h.ticket) == 0);
			hand_clear(&h);
			pair_clear(&p);
		}
		gnutls_free(h.ticket.data);
		tls_server_drop(&other);
	}
}

Test(tls, a_session_keeps_its_credentials)
{
	struct tls_server *t = ring_server(&w.ring, false);
	struct hand h = {0};
	struct pair p;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, t);
	tls_server_drop(&t);
	hand_init(&h, &p, "NORMAL", NULL);
	cr_assert(hand_shake(&h) == 0);
	hand_clear(&h);
	pair_clear(&p);
}

Test(tls, every_byte_alone)
{
	static const char *const priorities[] = {"NORMAL", "NORMAL:-VERS-TLS1.3"};

	for (size_t i = 0; i < 2; i++) {
		struct hand h = {0};
		struct pair p;

		pair_init_raw(&p);
		stream_start_tls_server(p.b.stream, w.server);
		hand_init(&h, &p, priorities[i], NULL);
		h.one_by_one = true;
		cr_assert(hand_shake(&h) == 0);
		cr_assert(gnutls_record_send(h.session, "NOOP\r\n", 6) == 6);
		cr_assert(pair_until_got(&p, &p.b, 6));
		cr_assert(p.b.secured == 1 && p.b.readable == 1);
		hand_clear(&h);
		pair_clear(&p);
	}
}

static void
start_reading(struct side *s)
{
	if (s->secured == 1 && s->readable == 0)
		stream_read(s->stream, true);
}

Test(tls, data_right_after_the_handshake)
{
	struct hand h = {0};
	struct pair p;

	for (int late = 0; late < 2; late++) {
		pair_init_raw(&p);
		stream_read(p.b.stream, false);
		p.b.then = late ? NULL : start_reading;
		stream_start_tls_server(p.b.stream, w.server);
		hand_init(&h, &p, "NORMAL", NULL);
		cr_assert(gnutls_handshake(h.session) == GNUTLS_E_AGAIN);
		pair_settle(&p);
		cr_assert(gnutls_handshake(h.session) == 0);
		cr_assert(gnutls_record_send(h.session, "NOOP\r\n", 6) == 6);
		pair_settle(&p);
		cr_assert(p.b.secured == 1);
		if (late) {
			cr_assert(p.b.readable == 0, "reading is off");
			stream_read(p.b.stream, true);
		}
		cr_assert(pair_until_got(&p, &p.b, 6));
		hand_clear(&h);
		pair_clear(&p);
	}
}

Test(tls, close_notify_is_the_end)
{
	struct hand h = {0};
	struct pair p;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	hand_init(&h, &p, "NORMAL", NULL);
	cr_assert(hand_shake(&h) == 0);
	cr_assert(gnutls_record_send(h.session, "BDAT 10\r\n", 9) == 9);
	gnutls_bye(h.session, GNUTLS_SHUT_WR);
	cr_assert(write(p.a.fd, "MAIL FROM:<evil@example.com>\r\n", 30) == 30);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	pair_settle(&p);
	cr_assert(p.b.why == STREAM_EOF && p.b.ended == 1);
	cr_assert(p.b.got.n == 9, "nothing in the clear is ever shown");
	hand_clear(&h);
	pair_clear(&p);
}

Test(tls, a_truncated_stream_is_no_orderly_end)
{
	struct hand h = {0};
	struct pair p;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	hand_init(&h, &p, "NORMAL", NULL);
	cr_assert(hand_shake(&h) == 0);
	cr_assert(gnutls_record_send(h.session, "DATA", 4) == 4);
	shutdown(p.a.fd, SHUT_WR);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_TRUNCATED && p.b.got.n == 4);
	hand_clear(&h);
	pair_clear(&p);
}

Test(tls, renegotiation_is_refused)
{
	struct hand h = {0};
	struct pair p;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	hand_init(&h, &p, "NORMAL:-VERS-TLS1.3", NULL);
	cr_assert(hand_shake(&h) == 0);
	cr_assert(hand_shake(&h) != 0);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_TLS_FAILED);
	cr_assert(strcmp(p.b.text, "renegotiation refused") == 0, "%s", p.b.text);
	hand_clear(&h);
	pair_clear(&p);
}

Test(tls, input_that_is_no_handshake)
{
	static const char record[] = "\x16\x03\x01\xff\xff";
	static const char sslv2[] =
	    "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10\x01\x00\x80\x03\x00\x80";
	static const char alert[] = "\x15\x03\x01\x00\x02\x02\x28";
	static const char zeros[300];
	static const struct str rows[] = {
	    {record, 5}, {sslv2, 17}, {alert, 7}, {zeros, 300},
	    STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), STR("EHLO me\r\nMAIL FROM:<a@b>\r\n"),
	    STR("\x17\x03\x03\x00\x05hello"), STR("\x14\x03\x03\x00\x01\x01"), STR("\x16"),
	};
	static char filler[80000];

	memset(filler, 'x', sizeof filler);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pair p;

		pair_init_raw(&p);
		stream_start_tls_server(p.b.stream, w.server);
		cr_assert(write(p.a.fd, rows[i].p, rows[i].n) == (ssize_t)rows[i].n);
		cr_assert(send(p.a.fd, filler, sizeof filler, MSG_DONTWAIT) > 0);
		shutdown(p.a.fd, SHUT_WR);
		cr_assert(pair_until(&p, &p.b.ended, 1), "row %zu", i);
		cr_assert(p.b.why == STREAM_TLS_FAILED && *p.b.text, "row %zu", i);
		cr_assert(p.b.got.n == 0 && p.b.secured == 0);
		pair_clear(&p);
	}
}

Test(tls, garbage_after_a_handshake)
{
	static char junk[70000];
	struct hand h = {0};
	struct pair p;

	memset(junk, 0x17, sizeof junk);
	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	hand_init(&h, &p, "NORMAL", NULL);
	cr_assert(hand_shake(&h) == 0);
	cr_assert(send(p.a.fd, junk, sizeof junk, MSG_DONTWAIT) > 0);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_TLS_FAILED && p.b.got.n == 0);
	hand_clear(&h);
	pair_clear(&p);
}

Test(tls, plaintext_input_is_discarded_before_tls)
{
	struct hand h = {0};
	struct pair p;

	pair_init_raw(&p);
	p.b.keeps_input = true;
	cr_assert(write(p.a.fd, "STARTTLS\r\nMAIL FROM:<evil>\r\n", 28) == 28);
	cr_assert(pair_until(&p, &p.b.readable, 1));
	side_send(&p.b, "220 go\r\n");
	stream_start_tls_server(p.b.stream, w.server);
	cr_assert(stream_input(p.b.stream).n == 0);
	cr_assert(read(p.a.fd, (char[8]){0}, 8) == 8);
	hand_init(&h, &p, "NORMAL", NULL);
	cr_assert(hand_shake(&h) == 0);
	cr_assert(gnutls_record_send(h.session, "NOOP", 4) == 4);
	cr_assert(pair_until(&p, &p.b.readable, 2));
	cr_assert(str_eq(stream_input(p.b.stream), STR("NOOP")));
	hand_clear(&h);
	pair_clear(&p);
}

Test(tls, half_a_handshake_ends_at_the_deadline)
{
	struct pair p;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	stream_deadline(p.b.stream, clock_mono_ms() + 30);
	cr_assert(write(p.a.fd, "\x16\x03\x01\x02\x00\x01", 6) == 6);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_EXPIRED);
	pair_clear(&p);
}

Test(tls, bulk_both_ways_with_back_pressure)
{
	enum { BULK = 6 << 20 };
	struct buf big;
	struct pair p;

	buf_init(&big, BULK);
	for (size_t i = 0; i < BULK; i++)
		buf_addc(&big, (char)(i * 2654435761u >> 13));
	pair_init(&p);
	pair_secure(&p, w.server, w.lax, "mail.example.com");
	stream_read(p.b.stream, false);
	stream_write(p.a.stream, buf_str(&big));
	stream_flush(p.a.stream);
	stream_write(p.b.stream, buf_str(&big));
	stream_flush(p.b.stream);
	pair_settle(&p);
	cr_assert(stream_waiting(p.a.stream) > 0 && p.b.got.n == 0);
	stream_read(p.b.stream, true);
	cr_assert(pair_until_got(&p, &p.a, BULK) && pair_until_got(&p, &p.b, BULK));
	cr_assert(str_eq(buf_str(&p.a.got), buf_str(&big)));
	cr_assert(str_eq(buf_str(&p.b.got), buf_str(&big)));
	cr_assert(p.a.drained == 1 && p.b.drained == 1);
	buf_clear(&big);
	pair_clear(&p);
}

Test(tls, the_ceiling_holds_for_plain_bytes)
{
	static char block[1 << 20];
	struct pair p;

	pair_init(&p);
	pair_secure(&p, w.server, w.lax, "mail.example.com");
	p.b.keeps_input = true;
	stream_write(p.a.stream, str_make(block, sizeof block));
	stream_flush(p.a.stream);
	for (int i = 0; i < 10; i++)
		pair_settle(&p);
	cr_assert(stream_input(p.b.stream).n >= STREAM_INPUT_MAX);
	cr_assert(stream_input(p.b.stream).n <= STREAM_INPUT_MAX + (16 << 10));
	p.b.keeps_input = false;
	buf_adds(&p.b.got, stream_input(p.b.stream));
	stream_drop(p.b.stream, stream_input(p.b.stream).n);
	cr_assert(pair_until_got(&p, &p.b, sizeof block));
	pair_clear(&p);
}

Test(tls, memory_of_an_idle_session)
{
	enum { SESSIONS = 100 };
	static struct pair p[SESSIONS];
	static struct hand h[SESSIONS];
	size_t before, used;

	for (int i = 0; i < SESSIONS; i++) {
		pair_init_raw(&p[i]);
		hand_init(&h[i], &p[i], "NORMAL", NULL);
		stream_start_tls_server(p[i].b.stream, w.server);
		cr_assert(hand_shake(&h[i]) == 0);
		cr_assert(gnutls_record_send(h[i].session, "NOOP\r\n", 6) == 6);
		cr_assert(pair_until_got(&p[i], &p[i].b, 6));
		side_send(&p[i].b, "250 ok\r\n");
		cr_assert(hand_read(&h[i], (char[10]){0}, 10) == 8);
	}
	before = mallinfo2().uordblks;
	for (int i = 0; i < SESSIONS; i++)
		stream_free(&p[i].b.stream);
	used = before - mallinfo2().uordblks;
	cr_log_info("%zu bytes per idle TLS stream", used / SESSIONS);
	cr_assert(used / SESSIONS < 13 << 10, "%zu bytes", used / SESSIONS);
	for (int i = 0; i < SESSIONS; i++) {
		hand_clear(&h[i]);
		pair_clear(&p[i]);
	}
}

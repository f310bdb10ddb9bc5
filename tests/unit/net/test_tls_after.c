/*
 * tls_after: TLS messages after the handshake that carry no data: tickets, key updates, empty
 * records, and floods of them.
 */
#include <criterion/criterion.h>
#include <unistd.h>

#include "hand.h"
#include "net/stream.h"

/* A handmade server or client, and a stream at the other end. */
static struct hand h;
static struct pair p;
static gnutls_datum_t ticket_key;

static void
after_begin(void)
{
	world_begin();
	pair_init_raw(&p);
	gnutls_session_ticket_key_generate(&ticket_key);
}

static void
after_finish(void)
{
	hand_clear(&h);
	gnutls_free(ticket_key.data);
	pair_clear(&p);
	world_finish();
}

TestSuite(tls_after, .init = after_begin, .fini = after_finish, .timeout = 60);

/* The handmade side is the server, the stream the client. */
static void
secure_as_server(void)
{
	hand_init_server(&h, &p);
	gnutls_session_ticket_enable_server(h.session, &ticket_key);
	stream_start_tls_client(p.b.stream, w.strict, "mail.example.com");
	cr_assert(hand_shake(&h) == 0);
	cr_assert(pair_until(&p, &p.b.secured, 1), "%s", p.b.text);
}

static void
secure_as_client(void)
{
	hand_init(&h, &p, "NORMAL", NULL);
	stream_start_tls_server(p.b.stream, w.server);
	cr_assert(hand_shake(&h) == 0);
}

static void
hand_send(const char *text)
{
	cr_assert(gnutls_record_send(h.session, text, strlen(text)) == (ssize_t)strlen(text));
}

static void
expect_received(const char *text)
{
	char got[100] = "";
	size_t n = 0;

	while (n < strlen(text)) {
		ssize_t r = hand_read(&h, got + n, sizeof got - n);

		cr_assert(r > 0, "%zd", r);
		n += (size_t)r;
	}
	cr_assert(strcmp(got, text) == 0, "%s", got);
}

/* c11: two tickets after Finished, and a key update in the middle of a reply. */
Test(tls_after, tickets_and_a_key_update_in_a_reply)
{
	secure_as_server();
	cr_assert(gnutls_session_ticket_send(h.session, 2, 0) == 0);
	hand_send("250-first\r\n25");
	cr_assert(gnutls_session_key_update(h.session, GNUTLS_KU_PEER) == 0);
	hand_send("0 last\r\n");
	cr_assert(pair_until_got(&p, &p.b, 20));
	cr_assert(str_eq(buf_str(&p.b.got), STR("250-first\r\n250 last\r\n")));
	side_send(&p.b, "QUIT\r\n"); /* after the requested key update */
	expect_received("QUIT\r\n");
	cr_assert(p.b.ended == 0);
}

Test(tls_after, a_key_update_in_a_command)
{
	secure_as_client();
	hand_send("NO");
	cr_assert(gnutls_session_key_update(h.session, GNUTLS_KU_PEER) == 0);
	hand_send("OP\r\n");
	cr_assert(pair_until_got(&p, &p.b, 6));
	side_send(&p.b, "250 ok\r\n");
	expect_received("250 ok\r\n");
	cr_assert(gnutls_session_key_update(h.session, 0) == 0);
	hand_send("QUIT\r\n");
	cr_assert(pair_until_got(&p, &p.b, 12));
}

/* While a large message waits for the peer to read, the peer's tickets and key updates are handled,
 * and the other way round. */
Test(tls_after, both_directions_wait_for_each_other)
{
	static char block[2 << 20];
	char got[20000];
	size_t n = 0;

	secure_as_server();
	memset(block, 'x', sizeof block);
	stream_write(p.b.stream, str_make(block, sizeof block));
	stream_flush(p.b.stream);
	cr_assert(stream_waiting(p.b.stream) > 0, "the kernel takes not all of it");
	for (int i = 0; i < 3; i++) {
		cr_assert(gnutls_session_ticket_send(h.session, 1, 0) == 0);
		cr_assert(gnutls_session_key_update(h.session, GNUTLS_KU_PEER) == 0);
		hand_send("250-wait\r\n");
		pair_settle(&p);
	}
	cr_assert(pair_until_got(&p, &p.b, 30));
	while (n < sizeof block) {
		ssize_t r = hand_read(&h, got, sizeof got);

		cr_assert(r > 0, "%zd behind %zu", r, n);
		n += (size_t)r;
	}
	cr_assert(pair_until(&p, &p.b.drained, 1));
	side_send(&p.b, ".\r\n");
	expect_received(".\r\n");
}

static void
expect_bounded(const char *text)
{
	cr_assert(pair_until(&p, &p.b.ended, 1), "%s: goes on", text);
	cr_assert(p.b.why == STREAM_TLS_FAILED, "%s: %d", text, p.b.why);
	cr_assert(pair_is_quiet(&p));
}

Test(tls_after, a_flood_of_tickets)
{
	secure_as_server();
	for (int i = 0; i < 100; i++)
		if (gnutls_session_ticket_send(h.session, 1, 0) != 0)
			break;
	expect_bounded("tickets");
}

Test(tls_after, a_flood_of_key_updates)
{
	secure_as_server();
	for (int i = 0; i < 100; i++)
		if (gnutls_session_key_update(h.session, GNUTLS_KU_PEER) != 0)
			break;
	expect_bounded("key updates");
}

Test(tls_after, a_flood_of_key_updates_from_a_client)
{
	secure_as_client();
	for (int i = 0; i < 100; i++)
		if (gnutls_session_key_update(h.session, GNUTLS_KU_PEER) != 0)
			break;
	expect_bounded("key updates");
}

Test(tls_after, a_flood_of_harmless_alerts)
{
	hand_init(&h, &p, "NORMAL:-VERS-TLS1.3", NULL);
	stream_start_tls_server(p.b.stream, w.server);
	cr_assert(hand_shake(&h) == 0);
	for (int i = 0; i < 100; i++)
		gnutls_alert_send(h.session, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
	expect_bounded("alerts");
}

Test(tls_after, plain_bytes_after_close_notify_are_ignored)
{
	secure_as_server();
	hand_send("221 bye\r\n");
	gnutls_bye(h.session, GNUTLS_SHUT_WR);
	cr_assert(write(p.a.fd, "250 evil\r\n", 10) == 10);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_EOF && p.b.got.n == 9);
	cr_assert(pair_is_quiet(&p));
}

Test(tls_after, renegotiation_asked_by_a_server_is_refused)
{
	hand_init_server(&h, &p);
	gnutls_priority_set_direct(h.session, "NORMAL:-VERS-TLS1.3", NULL);
	stream_start_tls_client(p.b.stream, w.strict, "mail.example.com");
	cr_assert(hand_shake(&h) == 0);
	cr_assert(gnutls_rehandshake(h.session) == 0);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_TLS_FAILED);
	cr_assert(strcmp(p.b.text, "renegotiation refused") == 0, "%s", p.b.text);
}

/*
 * tls_names: the certificates that a client accepts for a name (RFC 9525), its ClientHello, and the
 * SNI and ALPN that a server accepts.
 */
#include "net/tls_credentials.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "hand.h"
#include "net/stream.h"

TestSuite(tls_names, .init = world_begin, .fini = world_finish);

/* ---- what a client accepts ---- */

static void
expect_valid(const char *certificate, const char *name, bool is_valid)
{
	struct identity own;
	struct ring ring = {.identity = {&own}, .count = 1};
	struct tls_server *server;

	identity_init(&own, &w.ca, GNUTLS_PK_ECDSA, certificate, 5);
	server = ring_server(&ring, false);
	for (int insists = 0; insists < 2; insists++) {
		struct pair p;

		pair_init(&p);
		stream_start_tls_server(p.b.stream, server);
		stream_start_tls_client(p.a.stream, insists ? w.strict : w.lax, name);
		if (insists && !is_valid) {
			cr_assert(pair_until(&p, &p.a.ended, 1), "%s for %s", certificate, name);
			cr_assert(p.a.why == STREAM_TLS_FAILED && p.a.secured == 0);
			cr_assert(strstr(p.a.text, "another name"), "%s", p.a.text);
		} else {
			cr_assert(pair_until(&p, &p.a.secured, 1), "%s for %s: %s", certificate,
			    name, p.a.text);
			cr_assert(stream_tls_is_verified(p.a.stream) == is_valid, "%s for %s",
			    certificate, name);
		}
		pair_clear(&p);
	}
	tls_server_drop(&server);
	identity_clear(&own);
}

Test(tls_names, only_subject_alternative_names_count)
{
	static const struct {
		const char *certificate, *name;
		bool is_valid;
	} rows[] = {
	    {"CN=mail.example.com", "mail.example.com", false},
	    {"CN=*.example.com", "mail.example.com", false},
	    {"CN=192.0.2.1", "192.0.2.1", false},
	    {"mail.example.com", "mail.example.com", true},
	    {"mail.example.com", "mail.example.com.", true},
	    {"other.example.com,mail.example.com", "MAIL.Example.COM", true},
	    {"*.example.com", "mail.example.com", true},
	    {"*.example.com", "example.com", false},
	    {"*.example.com", "a.mail.example.com", false},
	    {"IP:192.0.2.1", "192.0.2.1", true},
	    {"IP:192.0.2.1", "192.0.2.2", false},
	    {"mail.example.com,IP:2001:db8::1", "2001:db8:0::1", true},
	    {"192.0.2.1", "192.0.2.1", false},
	    {"IP:192.0.2.1", "mail.example.com", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_valid(rows[i].certificate, rows[i].name, rows[i].is_valid);
}

/* ---- what a client sends ---- */

static bool
contains(const char *bytes, size_t n, const char *part, size_t part_n)
{
	return memmem(bytes, n, part, part_n) != NULL;
}

/* The ClientHello of a stream that connects to `name`. */
static size_t
hello_of_client(const char *name, char *to, size_t max)
{
	struct pair p;
	ssize_t n;

	pair_init_raw(&p);
	stream_start_tls_client(p.b.stream, w.lax, name);
	n = read(p.a.fd, to, max);
	pair_clear(&p);
	return n > 0 ? (size_t)n : 0;
}

Test(tls_names, server_name_without_final_dot_and_no_address)
{
	char hello[4096];
	size_t n = hello_of_client("mx1.away.example.", hello, sizeof hello);

	cr_assert(contains(hello, n, "\0\x10mx1.away.example", 18));
	cr_assert(!contains(hello, n, "example.", 8));
	n = hello_of_client("192.0.2.1", hello, sizeof hello);
	cr_assert(n > 100 && !contains(hello, n, "192.0.2.1", 9));
	n = hello_of_client("2001:db8::1", hello, sizeof hello);
	cr_assert(n > 100 && !contains(hello, n, "2001:db8", 8));
}

Test(tls_names, a_client_offers_no_application_protocol)
{
	char hello[4096];
	size_t n = hello_of_client("mail.example.com", hello, sizeof hello);

	cr_assert(n > 100);
	cr_assert(!contains(hello, n, "smtp", 4) && !contains(hello, n, "http", 4));
}

/* ---- what a server accepts ---- */

Test(tls_names, application_protocols)
{
	static const struct {
		const char *offered[3];
		const char *selected; /* NULL: refused */
	} rows[] = {
	    {{NULL}, ""},
	    {{"smtp"}, "smtp"},
	    {{"h2", "smtp"}, "smtp"},
	    {{"h2", "http/1.1"}, NULL},
	    {{"http/1.1"}, NULL},
	    {{"ftp"}, NULL},
	    {{"imap", "pop3"}, NULL},
	};

	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		const char *const *offered = rows[i / 2].offered;
		gnutls_datum_t list[3], got = {NULL, 0};
		struct hand h = {0};
		struct pair p;
		unsigned n = 0;
		int r;

		for (; n < 3 && offered[n]; n++)
			list[n] = (gnutls_datum_t){(unsigned char *)offered[n],
			    (unsigned)strlen(offered[n])};
		pair_init_raw(&p);
		stream_start_tls_server(p.b.stream, w.server);
		hand_init(&h, &p, i % 2 ? "NORMAL" : "NORMAL:-VERS-TLS1.3", NULL);
		if (n)
			gnutls_alpn_set_protocols(h.session, list, n, 0);
		r = hand_shake(&h);
		if (rows[i / 2].selected) {
			cr_assert(r == 0, "row %zu: %s", i, p.b.text);
			gnutls_alpn_get_selected_protocol(h.session, &got);
			cr_assert(got.size == strlen(rows[i / 2].selected), "row %zu", i);
		} else {
			cr_assert(r == GNUTLS_E_FATAL_ALERT_RECEIVED, "row %zu: %d", i, r);
			cr_assert(gnutls_alert_get(h.session) == GNUTLS_A_NO_APPLICATION_PROTOCOL);
			cr_assert(pair_until(&p, &p.b.ended, 1));
			cr_assert(p.b.why == STREAM_TLS_FAILED && *p.b.text);
		}
		hand_clear(&h);
		pair_clear(&p);
	}
}

/* Sends the ClientHello with `from` replaced by `to`, which has the same length. */
static struct {
	const char *from, *to;
} swap;

static ssize_t
push_swapped(gnutls_transport_ptr_t arg, const void *bytes, size_t n)
{
	struct hand *h = arg;
	char copy[8192];
	char *at;

	cr_assert(n <= sizeof copy);
	memcpy(copy, bytes, n);
	at = memmem(copy, n, swap.from, strlen(swap.from));
	if (at)
		memcpy(at, swap.to, strlen(swap.to));
	return write(h->pair->a.fd, copy, n);
}

/* GnuTLS itself refuses names with bytes that no host name has: the colons of an IPv6 address, and
 * the underscore.  Otherwise the server answers, and the handshake fails later in the client,
 * because its transcript differs. */
Test(tls_names, odd_server_names_get_the_first_certificate)
{
	static const char *const names[] = {"deep.example.net", "DEEP.example.NET",
	    "other.example.xx", "192.000.002.0001", "................"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct hand h = {0};
		struct pair p;
		char answer[8] = "";

		pair_init_raw(&p);
		stream_start_tls_server(p.b.stream, w.server);
		hand_init(&h, &p, "NORMAL", "deep.example.net");
		swap.from = "deep.example.net";
		swap.to = names[i];
		gnutls_transport_set_push_function(h.session, push_swapped);
		cr_assert(gnutls_handshake(h.session) == GNUTLS_E_AGAIN);
		pair_settle(&p);
		cr_assert(p.b.ended == 0, "%s: %s", names[i], p.b.text);
		cr_assert(read(p.a.fd, answer, 6) == 6);
		cr_assert(answer[0] == 0x16 && answer[5] == 2, "%s: no ServerHello", names[i]);
		hand_clear(&h);
		pair_clear(&p);
	}
}

Test(tls_names, a_final_dot_in_the_server_name)
{
	const struct identity *who;
	struct hand h = {0};
	struct pair p;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	hand_init(&h, &p, "NORMAL", "deep.example.net.");
	cr_assert(hand_shake(&h) == 0, "%s", p.b.text);
	hand_peer_kind(&h, &who);
	cr_assert(who == &w.other);
	hand_clear(&h);
	pair_clear(&p);
}

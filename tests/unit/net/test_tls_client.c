/* TLS: our client side, and unusable certificates. */
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

TestSuite(tls_client, .init = world_begin, .fini = world_finish);

/* ---- the client's side ---- */

Test(tls_client, names_and_trust)
{
	struct authority stranger, forger;
	struct identity foreign, forged;
	char why[200];
	struct {
		struct identity *who;
		const char *name;
		bool is_valid;
		const char *text;
	} rows[] = {
	    {&w.ec, "mail.example.com", true, ""},
	    {&w.ec, "MAIL.example.com", true, ""},
	    {&w.ec, "example.com", false, "the peer's certificate is for another name"},
	    {&w.other, "a.example.net", true, ""},
	    {&w.other, "a.b.example.net", false, "the peer's certificate is for another name"},
	    {&w.other, "192.0.2.1", false, "the peer's certificate is for another name"},
	    {&foreign, "mail.example.com", false,
	        "the peer's certificate is signed by nobody we trust"},
	    {&forged, "mail.example.com", false, "the peer's certificate has a wrong signature"},
	};

	authority_init(&stranger, "CN=stranger");
	authority_init(&forger, "CN=test authority");
	identity_init(&foreign, &stranger, GNUTLS_PK_ECDSA, "mail.example.com", 5);
	identity_init(&forged, &forger, GNUTLS_PK_ECDSA, "mail.example.com", 5);
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		struct ring ring = {.identity = {rows[i / 2].who}, .count = 1};
		struct tls_server *t = ring_server(&ring, false);
		bool insists = i % 2;
		struct pair p;

		pair_init(&p);
		stream_start_tls_server(p.b.stream, t);
		stream_start_tls_client(p.a.stream, insists ? w.strict : w.lax, rows[i / 2].name);
		if (!insists || rows[i / 2].is_valid) {
			cr_assert(pair_until(&p, &p.a.secured, 1), "row %zu", i);
			cr_assert(stream_tls_is_verified(p.a.stream) == rows[i / 2].is_valid,
			    "row %zu", i);
		} else {
			cr_assert(pair_until(&p, &p.a.ended, 1), "row %zu", i);
			cr_assert(p.a.why == STREAM_TLS_FAILED && p.a.secured == 0);
			cr_assert(
			    strcmp(p.a.text, rows[i / 2].text) == 0, "row %zu: %s", i, p.a.text);
		}
		pair_clear(&p);
		tls_server_drop(&t);
	}
	identity_clear(&foreign);
	identity_clear(&forged);
	authority_clear(&stranger);
	authority_clear(&forger);
	cr_assert(!tls_client_new(STR("/etc/ca.pem"), STR_NULL, true, why));
	cr_assert(strstr(why, "/etc/ca.pem"));
	cr_assert(!tls_client_new(STR("/etc/ca.pem"), STR("no PEM"), false, why));
}

Test(tls_client, input_after_the_220_is_discarded)
{
	struct pair p;

	pair_init(&p);
	p.a.keeps_input = true;
	side_send(&p.b, "220 go\r\n250-evil\r\n");
	cr_assert(pair_until(&p, &p.a.readable, 1));
	pair_secure(&p, w.server, w.strict, "mail.example.com");
	cr_assert(stream_input(p.a.stream).n == 0);
	pair_clear(&p);
}

Test(tls_client, a_server_without_tls)
{
	struct pair p;

	pair_init(&p);
	stream_start_tls_client(p.a.stream, w.lax, "mail.example.com");
	side_send(&p.b, "454 TLS not available\r\n");
	cr_assert(pair_until(&p, &p.a.ended, 1));
	cr_assert(p.a.why == STREAM_TLS_FAILED && p.a.got.n == 0);
	pair_clear(&p);
}

/* ---- certificates ---- */

static bool
accepts(struct str pem, struct ring *ring, char why[200])
{
	static const unsigned char ticket_key[TLS_TICKET_KEY_BYTES];
	struct tls_certificate c = {STR("mail.pem"), pem};
	struct tls_signer signer = ring_signer(ring);
	struct tls_server *t = tls_server_new(
	    &(struct tls_options){&c, 1, false, ticket_key, &signer}, why);
	bool ok = t != NULL;

	tls_server_drop(&t);
	return ok;
}

Test(tls_client, certificates_that_cannot_be_used)
{
	struct identity late, early;
	struct ring all = {.identity = {&w.ec, &late, &early}, .count = 3};
	char why[200];

	identity_init(&late, &w.ca, GNUTLS_PK_ECDSA, "x", -2);
	identity_init(&early, &w.ca, GNUTLS_PK_EDDSA_ED25519, "x", 2);
	cr_assert(accepts(buf_str(&late.pem), &all, why),
	    "it is served, for without it there is no service: %s", why);
	cr_assert(!accepts(buf_str(&w.rsa.pem), &all, why));
	cr_assert(
	    strcmp(why, "mail.pem: no private key belongs to this certificate") == 0, "%s", why);
	cr_assert(!accepts(
	    STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &all, why));
	cr_assert(strstr(why, "mail.pem: does not parse"), "%s", why);
	cr_assert(!accepts(STR(""), &all, why));
	cr_assert(accepts(buf_str(&early.pem), &all, why), "%s", why);
	identity_clear(&late);
	identity_clear(&early);
}

Test(tls_client, expiry_is_the_earliest)
{
	int64_t now = clock_ms() / 1000;
	int64_t until = tls_server_expires_s(w.server);

	cr_assert(until > now + 2 * 86400 && until < now + 4 * 86400);
}

Test(tls_client, a_signer_that_fails_fails_the_handshake)
{
	struct hand h = {0};
	struct pair p;

	pair_init_raw(&p);
	stream_start_tls_server(p.b.stream, w.server);
	w.ring.count = 0;
	hand_init(&h, &p, "NORMAL", NULL);
	cr_assert(hand_shake(&h) == GNUTLS_E_FATAL_ALERT_RECEIVED);
	cr_assert(pair_until(&p, &p.b.ended, 1));
	cr_assert(p.b.why == STREAM_TLS_FAILED);
	hand_clear(&h);
	pair_clear(&p);
}

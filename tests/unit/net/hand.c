/*
 * hand: see the header.
 */
#include "hand.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"

struct world w;

void
world_begin(void)
{
	authority_init(&w.ca, "CN=test authority");
	identity_init(&w.ec, &w.ca, GNUTLS_PK_ECDSA, "mail.example.com,smtp.example.com", 5);
	identity_init(&w.rsa, &w.ca, GNUTLS_PK_RSA, "mail.example.com,smtp.example.com", 3);
	identity_init(&w.other, &w.ca, GNUTLS_PK_ECDSA, "*.example.net,other.example.org", 4);
	w.ring = (struct ring){.identity = {&w.ec, &w.rsa, &w.other}, .count = 3};
	w.server = ring_server(&w.ring, false);
	w.ring.signatures = 0; /* GnuTLS tries each key once */
	w.strict = authority_client(&w.ca, true);
	w.lax = authority_client(&w.ca, false);
}

void
world_finish(void)
{
	tls_server_drop(&w.server);
	tls_client_drop(&w.strict);
	tls_client_drop(&w.lax);
	identity_clear(&w.ec);
	identity_clear(&w.rsa);
	identity_clear(&w.other);
	authority_clear(&w.ca);
}

gnutls_certificate_credentials_t
world_credentials(void)
{
	gnutls_certificate_credentials_t c;
	gnutls_datum_t pem = {(unsigned char *)w.ec.pem.p, (unsigned)w.ec.pem.n};
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;

	gnutls_certificate_allocate_credentials(&c);
	gnutls_x509_crt_init(&crt);
	cr_assert(gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) == 0);
	cr_assert(gnutls_privkey_export_x509(w.ec.key, &key) == 0);
	cr_assert(gnutls_certificate_set_x509_key(c, &crt, 1, key) == 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return c;
}

void
pair_secure(struct pair *p, struct tls_server *server, struct tls_client *client, const char *name)
{
	stream_start_tls_server(p->b.stream, server);
	stream_start_tls_client(p->a.stream, client, name);
	cr_assert(pair_until(p, &p->a.secured, 1), "client: %s server: %s", p->a.text, p->b.text);
	cr_assert(pair_until(p, &p->b.secured, 1));
}

/* ---- a handmade client ---- */

static ssize_t
hand_pull(gnutls_transport_ptr_t arg, void *to, size_t n)
{
	struct hand *h = arg;
	ssize_t got = recv(h->pair->a.fd, to, n, MSG_DONTWAIT);

	if (got < 0)
		gnutls_transport_set_errno(h->session, EAGAIN);
	return got;
}

static ssize_t
hand_push(gnutls_transport_ptr_t arg, const void *from, size_t n)
{
	struct hand *h = arg;

	if (!h->one_by_one)
		return write(h->pair->a.fd, from, n);
	for (size_t i = 0; i < n; i++) {
		if (write(h->pair->a.fd, (const char *)from + i, 1) != 1)
			return -1;
		pair_settle(h->pair);
	}
	return (ssize_t)n;
}

static void
hand_set_transport(struct hand *h)
{
	gnutls_transport_set_ptr(h->session, h);
	gnutls_transport_set_pull_function(h->session, hand_pull);
	gnutls_transport_set_push_function(h->session, hand_push);
	gnutls_handshake_set_timeout(h->session, GNUTLS_INDEFINITE_TIMEOUT);
}

void
hand_init(struct hand *h, struct pair *p, const char *priority, const char *name)
{
	*h = (struct hand){.pair = p, .ticket = h->ticket};
	gnutls_init(&h->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	cr_assert(gnutls_priority_set_direct(h->session, priority, NULL) == 0, "%s", priority);
	gnutls_certificate_allocate_credentials(&h->trust);
	gnutls_credentials_set(h->session, GNUTLS_CRD_CERTIFICATE, h->trust);
	if (name)
		gnutls_server_name_set(h->session, GNUTLS_NAME_DNS, name, strlen(name));
	if (h->ticket.size)
		gnutls_session_set_data(h->session, h->ticket.data, h->ticket.size);
	hand_set_transport(h);
}

void
hand_init_server(struct hand *h, struct pair *p)
{
	*h = (struct hand){.pair = p};
	gnutls_init(&h->session, GNUTLS_SERVER | GNUTLS_NONBLOCK);
	cr_assert(gnutls_set_default_priority(h->session) == 0);
	h->trust = world_credentials();
	gnutls_credentials_set(h->session, GNUTLS_CRD_CERTIFICATE, h->trust);
	hand_set_transport(h);
}

void
hand_clear(struct hand *h)
{
	gnutls_deinit(h->session);
	gnutls_certificate_free_credentials(h->trust);
}

int
hand_shake(struct hand *h)
{
	int64_t until = clock_mono_ms() + 5000;
	int r;

	do {
		r = gnutls_handshake(h->session);
		pair_settle(h->pair);
	} while (r == GNUTLS_E_AGAIN && clock_mono_ms() < until);
	return r;
}

ssize_t
hand_read(struct hand *h, char *to, size_t n)
{
	int64_t until = clock_mono_ms() + 5000;
	ssize_t r;

	do {
		pair_settle(h->pair);
		r = gnutls_record_recv(h->session, to, n);
	} while (r == GNUTLS_E_AGAIN && clock_mono_ms() < until);
	return r;
}

gnutls_pk_algorithm_t
hand_peer_kind(struct hand *h, const struct identity **who_out)
{
	const struct identity *all[] = {&w.ec, &w.rsa, &w.other};
	const gnutls_datum_t *der = gnutls_certificate_get_peers(h->session, &(unsigned){0});
	gnutls_x509_crt_t crt;
	unsigned char id[32];
	size_t n = sizeof id;
	int kind;

	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER);
	gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, id, &n);
	kind = gnutls_x509_crt_get_pk_algorithm(crt, NULL);
	gnutls_x509_crt_deinit(crt);
	*who_out = NULL;
	for (size_t i = 0; i < 3; i++)
		if (memcmp(all[i]->id, id, 32) == 0)
			*who_out = all[i];
	return (gnutls_pk_algorithm_t)kind;
}

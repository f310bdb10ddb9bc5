/*
 * tlsbench: how many full TLS 1.3 handshakes one core of this machine does on the server's side
 * (ECDSA P-256, X25519, one ticket), the key in the same process: the ceiling for messages that
 * come one a connection.  Both ends run in memory; only the server's processor time is counted.
 */
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PIPE_BYTES = 65536, ROUNDS = 2000, VALID_S = 86400 };

struct tls_pipe {
	unsigned char bytes[PIPE_BYTES];
	size_t n, taken;
};

struct tls_end {
	gnutls_session_t session;
	struct tls_pipe *in, *out;
};

static void
must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "tlsbench: %s: %s\n", what, gnutls_strerror(r));
	exit(1);
}

static ssize_t
bench_push_bytes(gnutls_transport_ptr_t p, const void *bytes, size_t n)
{
	struct tls_end *e = p;

	if (n > PIPE_BYTES - e->out->n)
		return -1;
	memcpy(e->out->bytes + e->out->n, bytes, n);
	e->out->n += n;
	return (ssize_t)n;
}

static ssize_t
bench_pull_bytes(gnutls_transport_ptr_t p, void *bytes, size_t n)
{
	struct tls_end *e = p;
	size_t left = e->in->n - e->in->taken;

	if (left == 0) {
		gnutls_transport_set_errno(e->session, EAGAIN);
		return -1;
	}
	n = n < left ? n : left;
	memcpy(bytes, e->in->bytes + e->in->taken, n);
	e->in->taken += n;
	return (ssize_t)n;
}

static double
cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static gnutls_certificate_credentials_t
self_signed(void)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);

	must(gnutls_x509_privkey_init(&key), "key");
	must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, bits, 0), "key");
	must(gnutls_x509_crt_init(&crt), "certificate");
	must(gnutls_x509_crt_set_version(crt, 3), "certificate");
	must(gnutls_x509_crt_set_serial(crt, "\1", 1), "certificate");
	must(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 1), "certificate");
	must(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + VALID_S), "certificate");
	must(gnutls_x509_crt_set_key(crt, key), "certificate");
	must(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), "certificate");
	must(gnutls_certificate_allocate_credentials(&credentials), "credentials");
	must(gnutls_certificate_set_x509_key(credentials, &crt, 1, key), "credentials");
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return credentials;
}

static void
open_end(struct tls_end *e, unsigned flags, gnutls_priority_t priority,
    gnutls_certificate_credentials_t credentials)
{
	must(gnutls_init(&e->session, flags | GNUTLS_NONBLOCK), "session");
	must(gnutls_priority_set(e->session, priority), "session");
	must(gnutls_credentials_set(e->session, GNUTLS_CRD_CERTIFICATE, credentials), "session");
	gnutls_transport_set_ptr(e->session, e);
	gnutls_transport_set_push_function(e->session, bench_push_bytes);
	gnutls_transport_set_pull_function(e->session, bench_pull_bytes);
}

/* Seconds of processor time that the server took. */
static double
handshake(struct tls_end *server, struct tls_end *client, const gnutls_datum_t *ticket_key)
{
	int s = GNUTLS_E_AGAIN, c = GNUTLS_E_AGAIN;
	double spent = 0, began;

	server->in->n = server->in->taken = server->out->n = server->out->taken = 0;
	began = cpu_s();
	must(gnutls_session_ticket_enable_server(server->session, ticket_key), "ticket");
	spent += cpu_s() - began;
	for (int i = 0; i < 20 && (s || c); i++) {
		if (c)
			c = gnutls_handshake(client->session);
		began = cpu_s();
		if (s)
			s = gnutls_handshake(server->session);
		spent += cpu_s() - began;
	}
	must(s, "server");
	must(c, "client");
	return spent;
}

int
main(void)
{
	static struct tls_pipe up, down;
	struct tls_end server = {.in = &up, .out = &down}, client = {.in = &down, .out = &up};
	gnutls_certificate_credentials_t mine = self_signed(), theirs;
	gnutls_priority_t priority;
	gnutls_datum_t ticket_key;
	double spent = 0;

	must(gnutls_certificate_allocate_credentials(&theirs), "credentials");
	must(gnutls_session_ticket_key_generate(&ticket_key), "ticket");
	must(gnutls_priority_init(&priority,
		 "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519", NULL),
	    "priority");
	for (int i = 0; i < ROUNDS; i++) {
		open_end(&server, GNUTLS_SERVER, priority, mine);
		open_end(&client, GNUTLS_CLIENT, priority, theirs);
		spent += handshake(&server, &client, &ticket_key);
		gnutls_deinit(server.session);
		gnutls_deinit(client.session);
	}
	printf("  TLS 1.3, ECDSA P-256, X25519: %.0f us of server CPU, %.0f handshakes/s on one "
	       "core\n",
	    spent / ROUNDS * 1e6, ROUNDS / spent);
	gnutls_free(ticket_key.data);
	gnutls_priority_deinit(priority);
	gnutls_certificate_free_credentials(mine);
	gnutls_certificate_free_credentials(theirs);
	return 0;
}

/*
 * tls_credentials: the settings of GnuTLS, reference counted and shared: server credentials
 * (several certificates, with keys in another process) and the trust of clients.  The TLS session
 * is in the stream.  Only net and keys use GnuTLS.
 */
#ifndef NET_TLS_CREDENTIALS_H
#define NET_TLS_CREDENTIALS_H

#include "net/tls_certificate.h"

struct tls_server;
struct tls_client;

enum { TLS_TICKET_KEY_BYTES = 64 };

struct tls_options {
	const struct tls_certificate *certificates;
	size_t count;
	bool only_1_3;
	const unsigned char *ticket_key; /* TLS_TICKET_KEY_BYTES */
	const struct tls_signer *signer; /* copied */
};

/* Priorities: TLS 1.2 and later (or only 1.3), X25519 first, only AEAD suites, no anonymous or
 * export suites, no renegotiation, no early data.  The first certificate is used for unknown names.
 * Of ALPN only "smtp" is accepted: a client that offers only other protocols expects another
 * server. An expired certificate is still served: some clients accept it, and without it none could
 * connect. NULL and a sentence in `why` when a certificate cannot be parsed or has no key. */
struct tls_server *tls_server_new(const struct tls_options *o, char why[200]);
/* References; tls_server_drop(&t) releases one and sets t to NULL. */
struct tls_server *tls_server_keep(struct tls_server *t);
void tls_server_drop(struct tls_server **t);
/* The earliest end of validity of the certificates, seconds since 1970. */
int64_t tls_server_expires_s(const struct tls_server *t);

/* Trust is loaded once (144 certificates: 12 ms).  name empty: that of the system, by path; else
 * name is for messages, and pem holds the certificates. */
struct tls_client *tls_client_new(
    struct str name, struct str pem, bool must_verify, char why[200]);
/* References likewise. */
struct tls_client *tls_client_keep(struct tls_client *t);
void tls_client_drop(struct tls_client **t);

/* For net/tls_session: a new session, ready for its transport.  The caller keeps a reference to the
 * credentials as long as the session lives; name is not copied. */
struct gnutls_session_int;
struct gnutls_session_int *tls_server_begin(struct tls_server *t);
struct gnutls_session_int *tls_client_begin(struct tls_client *t, const char *name);
/* The handshake must fail when the peer's certificate is not valid for the name. */
bool tls_client_must_verify(const struct tls_client *t);

#endif

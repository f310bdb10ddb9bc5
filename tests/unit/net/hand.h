/*
 * hand: the certificates of the TLS tests, and a handmade client: GnuTLS directly on the descriptor
 * of a pair, so that old versions and wrong bytes can be tested.
 */
#ifndef TESTS_NET_HAND_H
#define TESTS_NET_HAND_H

#include <gnutls/gnutls.h>

#include "pair.h"

/* One authority, three identities, a server, a client that requires verification and one that does
 * not. */
struct world {
	struct authority ca;
	struct identity ec, rsa, other;
	struct ring ring;
	struct tls_server *server;
	struct tls_client *strict, *lax;
};
extern struct world w;

void world_begin(void);
void world_finish(void);

/* For a handmade server: the first certificate, with its key. */
gnutls_certificate_credentials_t world_credentials(void);
/* Establishes TLS on both sides of a pair. */
void pair_secure(
    struct pair *p, struct tls_server *server, struct tls_client *client, const char *name);

struct hand {
	gnutls_session_t session;
	gnutls_certificate_credentials_t trust;
	gnutls_datum_t ticket;
	struct pair *pair;
	bool one_by_one; /* a byte per wakeup of the server */
};

void hand_init(struct hand *h, struct pair *p, const char *priority, const char *name);
/* The handmade side is a server with the world's first certificate. */
void hand_init_server(struct hand *h, struct pair *p);
void hand_clear(struct hand *h);
/* The last result of gnutls_handshake. */
int hand_shake(struct hand *h);
ssize_t hand_read(struct hand *h, char *to, size_t n);
/* The key type of the server's certificate, and which of the world's certificates it is. */
gnutls_pk_algorithm_t hand_peer_kind(struct hand *h, const struct identity **who_out);

#endif

/*
 * pair: two streams connected by a socket, and certificates made by the test, for the tests of net.
 */
#ifndef TESTS_NET_PAIR_H
#define TESTS_NET_PAIR_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "base/buf.h"
#include "net/stream.h"

/* One end and what it received. */
struct side {
	struct stream *stream; /* NULL once freed */
	struct buf got;
	unsigned readable, secured, connected, drained, ended;
	enum stream_end why;
	char text[200];        /* of the end */
	bool keeps_input;      /* do not drop the received input */
	bool frees_at_end;
	void (*then)(struct side *s); /* runs in each `readable` and `secured` */
	int fd;                /* when the test uses this side's descriptor directly */
};

struct pair {
	struct event_base *base;
	struct side a, b; /* a: client, b: server */
};

void pair_init(struct pair *p);
/* The a side is a bare descriptor. */
void pair_init_raw(struct pair *p);
/* A loop that runs one callback in each turn. */
struct event_base *pair_base_new(void);
/* A TCP connection: fds[1] does not block. */
void tcp_pair(int fds[2]);
/* Two ends of a TCP connection; the a side is a bare descriptor, which blocks. */
void pair_init_tcp(struct pair *p);
void pair_clear(struct pair *p);
/* Closes a side's bare descriptor so that the other end gets a reset. */
void side_reset(struct side *s);
void side_send(struct side *s, const char *text);
/* Turns the loop until *count reaches n; false after five seconds. */
bool pair_until(struct pair *p, const unsigned *count, unsigned n);
bool pair_until_got(struct pair *p, const struct side *s, size_t n);
/* Turns the loop until nothing is left to do. */
void pair_settle(struct pair *p);
/* True when the loop has at most a few turns left: no event activates itself again. */
bool pair_is_quiet(struct pair *p);

extern const struct stream_events side_events;

/* A certificate for `names` (comma separated; "IP:…" is an address; or one "CN=…" and no
 * alternative name at all), signed by the authority; days may be negative. */
struct identity {
	gnutls_privkey_t key;
	struct buf pem;
	unsigned char id[TLS_KEY_ID_BYTES];
};
struct authority {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	char path[64]; /* PEM file for trust */
};

/* The credentials of a client that trusts the authority. */
struct tls_client *authority_client(const struct authority *a, bool must_verify);
void authority_init(struct authority *a, const char *name);
void authority_clear(struct authority *a);
void identity_init(struct identity *i, struct authority *a, gnutls_pk_algorithm_t kind,
    const char *names, int days);
void identity_clear(struct identity *i);

/* Signs with the given identities, and counts the signatures. */
struct ring {
	struct identity *identity[8];
	size_t count;
	unsigned signatures;
};
struct tls_signer ring_signer(struct ring *r);
/* A server with all identities in the ring; a failure ends the test. */
struct tls_server *ring_server(struct ring *r, bool only_1_3);

#endif

/*
 * host_iterator: selects the next host and address of a destination.  It keeps the most informative
 * failure, and gives in the end the status for the recipients that no host decided.  Pure: no I/O;
 * the owner looks up addresses and connects.
 */
#ifndef RELAY_HOST_ITERATOR_H
#define RELAY_HOST_ITERATOR_H

#include "relay/own_addresses.h"
#include "relay/resolved_destination.h"
#include "relay/smtp_client.h"

enum { HOST_ITERATOR_ADDRESSES_MAX = 8, HOST_ITERATOR_TRIES_MAX = 12 };

enum host_iterator_step {
	HOST_ITERATOR_NEEDS_ADDRESSES, /* the addresses of host_iterator_host */
	HOST_ITERATOR_CONNECT,         /* to host_iterator_address */
	HOST_ITERATOR_EXHAUSTED,       /* see host_iterator_status */
};

struct host_iterator {
	const struct resolved_destination *destination;
	/* whether an address belongs to this machine; NULL: not checked */
	enum own_address_answer (*is_own)(const struct sockaddr *sa);
	size_t host_index;
	size_t address_index, address_count;
	struct resolver_address addresses[HOST_ITERATOR_ADDRESSES_MAX];
	unsigned tries;
	bool in_plaintext;         /* TLS failed at this address, and the route allows plaintext */
	bool without_chunking;     /* the host announces CHUNKING, but fails at it */
	bool lacks_route_host;     /* the last lookup: a host that a route names has no address */
	struct smtp_status status; /* the highest-ranked one so far */
	const char *reason;
	const char *tls_of_status; /* how far TLS came with that host; NULL: no connection */
	size_t host_of_status;     /* the index of the host of that status */
	struct resolver_address address_of_status; /* len 0: not known */
};

/* Starts before the first host.  The destination must outlive the iterator. */
void host_iterator_init(struct host_iterator *it, const struct resolved_destination *destination);
/* The next thing to do; does not move when it is called again. */
enum host_iterator_step host_iterator_step(struct host_iterator *it);
/* The name of the current host; not after EXHAUSTED. */
const char *host_iterator_host(const struct host_iterator *it);
/* The current address, with its port; only after CONNECT. */
const struct resolver_address *host_iterator_address(const struct host_iterator *it);
/* Takes the answer of the lookup that NEEDS_ADDRESSES asked for. */
void host_iterator_got_addresses(struct host_iterator *it, const struct resolver_answer *answer);
/* The attempt at this address failed: the TLS handshake failed; or the session ended before all
 * recipients had a result.  tls: see smtp_connection_tls. */
void host_iterator_tls_failed(
    struct host_iterator *it, const struct smtp_status *s, const char *tls);
void host_iterator_failed(
    struct host_iterator *it, const struct smtp_client_end *end, const char *tls);

/* The TLS level for the SMTP client at this address. */
enum smtp_client_tls host_iterator_tls(const struct host_iterator *it);
/* The status for the recipients without a result; *reason_out: one of the words of reason.h. */
struct smtp_status host_iterator_status(const struct host_iterator *it, const char **reason_out);

#endif

/*
 * host_iterator: which host next.  A cursor over a destination's hosts and their addresses; it
 * remembers the best of what went wrong, and says in the end what all of it means.  Pure.
 */
#ifndef RELAY_HOST_ITERATOR_H
#define RELAY_HOST_ITERATOR_H

#include "relay/own_addresses.h"
#include "relay/resolved_destination.h"
#include "relay/smtp_client.h"

enum { HOST_ITERATOR_ADDRESSES_MAX = 8, HOST_ITERATOR_TRIES_MAX = 12 };

enum host_iterator_step {
	HOST_ITERATOR_NEEDS_ADDRESSES, /* of host_iterator_host */
	HOST_ITERATOR_CONNECT,         /* to host_iterator_address */
	HOST_ITERATOR_EXHAUSTED,       /* see host_iterator_status */
};

struct host_iterator {
	const struct resolved_destination *destination;
	/* an address of this machine?  NULL: none is */
	enum own_address_answer (*is_own)(const struct sockaddr *sa);
	size_t host_index;
	size_t address_index, address_count;
	struct resolver_address addresses[HOST_ITERATOR_ADDRESSES_MAX];
	unsigned tries;
	bool in_plaintext;         /* TLS failed at this address, and the route lets it pass */
	bool without_chunking; /* the host cannot do it */
	bool lacks_route_host; /* the last answer: a host that a route names has no address */
	struct smtp_status status;  /* the best so far, see note() */
	const char *reason;
	const char *tls_of_status; /* how far TLS came there; NULL: nobody was met */
	size_t host_of_status;                     /* who said so */
	struct resolver_address address_of_status; /* len 0: none was known */
};

void host_iterator_init(struct host_iterator *it, const struct resolved_destination *destination);
enum host_iterator_step host_iterator_step(struct host_iterator *it);
const char *host_iterator_host(const struct host_iterator *it);
const struct resolver_address *host_iterator_address(const struct host_iterator *it);
void host_iterator_got_addresses(struct host_iterator *it, const struct resolver_answer *answer);
/* This address did not do: TLS failed before anything else; or the session ended undecided.  tls:
 * see smtp_connection_tls. */
void host_iterator_tls_failed(
    struct host_iterator *it, const struct smtp_status *s, const char *tls);
void host_iterator_failed(
    struct host_iterator *it, const struct smtp_client_end *end, const char *tls);

/* TLS for the client at this address. */
enum smtp_client_tls host_iterator_tls(const struct host_iterator *it);
/* The status of whoever is still undecided, and of the closed set why. */
struct smtp_status host_iterator_status(const struct host_iterator *it, const char **reason_out);

#endif

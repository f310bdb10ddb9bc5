/*
 * host_iterator: which host next.  A cursor over a site's hosts and their addresses; it remembers
 * the best of what went wrong, and says in the end what all of it means.  Pure.
 */
#ifndef RELAY_HOST_ITERATOR_H
#define RELAY_HOST_ITERATOR_H

#include "relay/own_addresses.h"
#include "relay/resolved_destination.h"
#include "relay/smtp_client.h"

enum { DELIVERY_ADDRESSES_MAX = 8, DELIVERY_TRIES_MAX = 12 };

enum delivery_step {
	DELIVERY_NEEDS_ADDRESSES, /* of delivery_host */
	DELIVERY_CONNECT,         /* to delivery_address */
	DELIVERY_EXHAUSTED,       /* see delivery_verdict */
};

struct delivery {
	const struct site *site;
	/* an address of this machine?  NULL: none is */
	enum own_answer (*is_own)(const struct sockaddr *sa);
	size_t host;
	size_t address_at, address_count;
	struct resolver_address addresses[DELIVERY_ADDRESSES_MAX];
	unsigned tries;
	bool in_clear;         /* TLS failed at this address, and the route lets it pass */
	bool without_chunking; /* the host cannot do it */
	bool lacks_route_host; /* the last answer: a host that a route names has no address */
	struct status status;  /* the best so far, see note() */
	const char *reason;
	const char *tls_of_status; /* how far TLS came there; NULL: nobody was met */
	size_t host_of_status;                     /* who said so */
	struct resolver_address address_of_status; /* len 0: none was known */
};

void delivery_init(struct delivery *d, const struct site *site);
enum delivery_step delivery_step(struct delivery *d);
const char *delivery_host(const struct delivery *d);
const struct resolver_address *delivery_address(const struct delivery *d);
void delivery_got_addresses(struct delivery *d, const struct resolver_answer *answer);
/* This address did not do: TLS failed before anything else; or the session ended undecided.  tls:
 * see visit_tls. */
void delivery_tls_failed(struct delivery *d, const struct status *s, const char *tls);
void delivery_failed(struct delivery *d, const struct client_end *end, const char *tls);

/* TLS for the client at this address. */
enum client_tls delivery_tls(const struct delivery *d);
/* The status of whoever is still undecided, and of the closed set why. */
struct status delivery_verdict(const struct delivery *d, const char **reason_out);

#endif

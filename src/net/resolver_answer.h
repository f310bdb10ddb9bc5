/*
 * resolver_answer: the answer to a query of the resolver (net/resolver.h): its outcome, and the MX
 * records or addresses.  For all files that make a part of it: no functions.
 */
#ifndef NET_RESOLVER_ANSWER_H
#define NET_RESOLVER_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum resolver_outcome {
	RESOLVER_FOUND,
	RESOLVER_NO_DATA, /* the name exists, but has no such record */
	RESOLVER_NO_NAME, /* NXDOMAIN */
	RESOLVER_BOGUS,   /* validation failed: temporary */
	RESOLVER_FAILED,  /* SERVFAIL, refused, malformed: temporary */
	RESOLVER_TIMEOUT,
};

enum { RESOLVER_MX_MAX = 100, RESOLVER_ADDRESSES_MAX = 40 };

struct resolver_mx {
	uint16_t preference;
	char host[256]; /* lower case, no final dot; "" is the null MX's "." */
};

struct resolver_address {
	struct sockaddr_storage sa; /* port 0 */
	socklen_t len;
};

struct resolver_answer {
	enum resolver_outcome outcome;
	bool is_secure;
	uint32_t ttl_s;
	const struct resolver_mx *mx;             /* sorted by preference, equal ones shuffled */
	const struct resolver_address *addresses; /* IPv6 and IPv4 mixed, each family shuffled */
	size_t count;
};

typedef void resolver_fn(const struct resolver_answer *a, void *arg);

#endif

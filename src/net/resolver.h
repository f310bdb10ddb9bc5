/*
 * resolver: MX and addresses through libunbound on the role's loop, validated with DNSSEC.  An
 * answer may be known at once: then too it comes through the loop.  BOGUS data is never shown.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <event2/event.h>
#include <sys/socket.h>

#include "conf/conf.h"

struct resolver;
struct resolver_query;

enum resolver_outcome {
	RESOLVER_FOUND,
	RESOLVER_NO_DATA, /* the name exists, not this type */
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

/* dns.resolver "ADDR@PORT" forwards there (loopback too, validated all the same); empty: iterates
 * from the root.  anchor: the text of dns.trust_anchor, p NULL when it could not be had.  NULL with
 * errno and a log line when it cannot be. */
struct resolver *resolver_new(struct event_base *base, const struct conf *conf, struct str anchor)
    MUST_USE;
/* Open queries end without an answer. */
void resolver_free(struct resolver **r);

enum { RESOLVER_DEADLINE_MS = 20000 };

/* Each ends with one call of fn, at the latest after RESOLVER_DEADLINE_MS. */
struct resolver_query *resolver_ask_mx(
    struct resolver *r, struct str domain, resolver_fn *fn, void *arg);
/* AAAA and A together, told when both are answered or the deadline has come.  BOGUS when either is:
 * nothing that is said of such a host counts.  Else FOUND when either has one: hosts whose servers
 * fail at one of the two are many.  NO_NAME only when both say so. */
struct resolver_query *resolver_ask_addresses(
    struct resolver *r, struct str host, resolver_fn *fn, void *arg);
/* No answer will come. */
void resolver_cancel(struct resolver_query **q);

#endif

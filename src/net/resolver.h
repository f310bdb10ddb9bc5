/*
 * resolver: MX and addresses from the configured resolvers or from the root servers, on the role's
 * loop, validated with DNSSEC.  An answer may be known at once: then too it comes through the loop.
 * BOGUS data is never shown.
 *
 * Of several resolvers the first is asked, as resolv.conf(5) has it: it may know names that the
 * others do not.  The next one is asked for what is still open when it fails or says nothing for
 * RESOLVER_NEXT_SERVER_MS; one that answers nothing at all (dns_server.h) comes last.  That a name
 * does not exist, or has no such record, only the first can say: from another it counts as FAILED.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <event2/event.h>
#include <sys/socket.h>

#include "conf/conf.h"

struct hosts;
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

enum { RESOLVER_SERVERS_MAX = 3 };

struct resolver_setup {
	struct event_base *base;
	const struct str *servers; /* "ADDRESS@PORT", in their order */
	size_t server_count;       /* at most RESOLVER_SERVERS_MAX; 0: iterates from the root */
	enum conf_dnssec dnssec;
	struct str anchor; /* the text of dns.trust_anchor, p NULL when it could not be had */
	const struct conf_strs *insecure_zones; /* NULL: none */
	struct hosts *hosts; /* NULL: none; belongs to the resolver then, also if it cannot be */
};

/* NULL with errno and a log line when it cannot be. */
struct resolver *resolver_new(const struct resolver_setup *setup) MUST_USE;
/* Open queries end without an answer. */
void resolver_free(struct resolver **r);

/* Nobody waits for an answer: it may be freed without loss. */
bool resolver_is_idle(const struct resolver *r);

typedef void resolver_idle_fn(struct resolver *r, void *arg);
/* No question is put to it any more.  idle is called once, from the loop, when nobody waits for an
 * answer; it may free it. */
void resolver_retire(struct resolver *r, resolver_idle_fn *idle, void *arg);
/* Its open queries end soon, as if their time were over. */
void resolver_expire_queries(struct resolver *r);

struct resolver_server {
	const char *name;   /* "127.0.0.1@53" */
	const char *dnssec; /* in words: are its answers validated? */
	bool is_asked;      /* it has answered, or is silent */
	int64_t silent_since_ms; /* wall clock; 0: it is not */
};
/* The n-th one that is asked; false: there are fewer. */
bool resolver_server(const struct resolver *r, size_t n, struct resolver_server *out) MUST_USE;

enum { RESOLVER_DEADLINE_MS = 20000, RESOLVER_NEXT_SERVER_MS = 5000 };

/* Each ends with one call of fn, at the latest after RESOLVER_DEADLINE_MS. */
struct resolver_query *resolver_ask_mx(
    struct resolver *r, struct str domain, resolver_fn *fn, void *arg);
/* AAAA and A together, told when both are answered or the deadline has come.  BOGUS when either is:
 * nothing that is said of such a host counts.  Else FOUND when either has one: hosts whose servers
 * fail at one of the two are many.  NO_NAME only when both say so. */
struct resolver_query *resolver_ask_addresses(
    struct resolver *r, struct str host, resolver_fn *fn, void *arg);
/* The same for a host that the operator has named: what the hosts file says of it counts, and then
 * DNS is not asked. */
struct resolver_query *resolver_ask_named(
    struct resolver *r, struct str host, resolver_fn *fn, void *arg);
/* No answer will come. */
void resolver_cancel(struct resolver_query **q);

#endif

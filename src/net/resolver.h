/*
 * resolver: looks up MX records and addresses, with the configured resolvers or from the root
 * servers, on the role's event loop, validated with DNSSEC.  The callback always comes from the
 * loop, even when the answer is known at once.  BOGUS data is never passed on.
 *
 * Of several resolvers the first is asked, as with resolv.conf(5), because it may know names that
 * the others do not.  As long as nothing is found, the next one is asked for the parts that are
 * still open when it fails or does not answer for RESOLVER_NEXT_SERVER_MS; a silent one
 * (dns_server.h) is asked last.  Addresses of two servers are not mixed.  Only the first can answer
 * that a name does not exist, or has no such record: from another one that counts as FAILED.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <event2/event.h>

#include "conf/conf.h"
#include "net/resolver_answer.h"

struct hosts;
struct resolver;
struct resolver_query;

enum { RESOLVER_SERVERS_MAX = 3 };

struct resolver_setup {
	struct event_base *base;
	const struct str *servers; /* "ADDRESS@PORT", in the order of use */
	size_t server_count;       /* at most RESOLVER_SERVERS_MAX; 0: iterates from the root */
	enum conf_dnssec dnssec;
	struct str anchor; /* the text of dns.trust_anchor; p NULL: it could not be read */
	const struct conf_strs *insecure_zones; /* NULL: none */
	struct hosts *hosts; /* NULL: none; the resolver owns it, also when resolver_new fails */
};

/* A server that cannot be made (its address, for lack of memory) is logged, and left out.  NULL
 * with errno: none could be made. */
struct resolver *resolver_new(const struct resolver_setup *setup) MUST_USE;
/* Open queries end without a callback. */
void resolver_free(struct resolver **r);

/* There is no open query: it may be freed. */
bool resolver_is_idle(const struct resolver *r);

typedef void resolver_idle_fn(struct resolver *r, void *arg);
/* No new query may be made.  idle is called once, from the loop, when there is no open query; it
 * may free the resolver. */
void resolver_retire(struct resolver *r, resolver_idle_fn *idle, void *arg);
/* Its open queries end soon, as if their deadline had come. */
void resolver_expire_queries(struct resolver *r);

struct resolver_server {
	const char *name;   /* "127.0.0.1@53" */
	const char *dnssec; /* as text: are its answers validated? */
	bool is_asked;      /* it has answered, or it is silent */
	int64_t silent_since_ms; /* wall clock; 0: it is not silent */
};
/* The n-th server; false: there are fewer. */
bool resolver_server(const struct resolver *r, size_t n, struct resolver_server *out) MUST_USE;

enum {
	RESOLVER_DEADLINE_MS = 20000,
	RESOLVER_NEXT_SERVER_MS = 5000,
	RESOLVER_REST_MS = 1000, /* for the other family, when one is found */
};

/* Each query ends with one call of fn, at the latest after RESOLVER_DEADLINE_MS. */
struct resolver_query *resolver_ask_mx(
    struct resolver *r, struct str domain, resolver_fn *fn, void *arg);
/* AAAA and A together; fn is called when both are answered, or at the deadline.  When one of them
 * has an address, the other is awaited for RESOLVER_REST_MS more, or where answers are validated
 * until RESOLVER_NEXT_SERVER_MS, because it may be BOGUS.
 * BOGUS when either is: then no data of the host is used.  Else
 * FOUND when either has an address, because there are many hosts whose servers fail for one of the
 * two.  NO_NAME only when both answers are. */
struct resolver_query *resolver_ask_addresses(
    struct resolver *r, struct str host, resolver_fn *fn, void *arg);
/* The same for a host in the configuration: if the hosts file has an entry, it is used instead of
 * DNS. */
struct resolver_query *resolver_ask_named(
    struct resolver *r, struct str host, resolver_fn *fn, void *arg);
/* Ends the query without a callback. */
void resolver_cancel(struct resolver_query **q);

#endif

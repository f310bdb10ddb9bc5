/*
 * resolved_destination: where the mail of a domain goes: the route, the hosts in the order of
 * trying, and a name that is the same for all domains with the same hosts, by which the queue
 * schedules.  Pure: the caller passes the DNS answers in.
 */
#ifndef RELAY_RESOLVED_DESTINATION_H
#define RELAY_RESOLVED_DESTINATION_H

#include "mail/smtp_status.h"
#include "net/resolver.h"
#include "policy/routing.h"

enum { RESOLVED_HOSTS_MAX = 20, RESOLVED_NAME_BYTES = 300, RESOLVED_FIXED_TTL_S = 300 };
/* The time to live of a DNS answer is bounded by these limits. */
enum { RESOLVED_TTL_MIN_S = 30, RESOLVED_TTL_MAX_S = 3600, RESOLVED_FAILURE_TTL_S = 60 };

struct resolved_host {
	uint16_t preference;
	char name[256]; /* or a numeric address */
};

struct resolved_destination {
	char name[RESOLVED_NAME_BYTES]; /* "": not deliverable, see status */
	struct smtp_status status;      /* code 0: deliverable */
	const char *reason;
	const struct conf_route *route;
	unsigned route_number;
	uint16_t port;
	bool is_literal;  /* the domain is an address literal */
	bool is_implicit; /* no MX: the domain's own address is used */
	bool allow_private;
	uint32_t ttl_s;
	size_t count;
	struct resolved_host hosts[RESOLVED_HOSTS_MAX];
};

enum resolved_need { RESOLVED_COMPLETE, RESOLVED_NEEDS_MX };

/* Starts to resolve a domain (lower case, A-labels or UTF-8, or an address literal). ascii_out: the
 * name for the MX query, when that is needed. */
enum resolved_need resolved_begin(struct resolved_destination *d, const struct conf *conf,
    struct str domain, char ascii_out[256]);
/* Takes the answer to the MX query; after that the destination is complete. */
void resolved_take_mx(struct resolved_destination *d, struct str own_hostname, struct str domain,
    const struct resolver_answer *answer);

/* Parses a numeric address of a configuration, or of an address literal without its brackets
 * ("IPv6:..."). */
bool resolved_numeric_address(
    struct str text, uint16_t port, struct resolver_address *out) MUST_USE;

#endif

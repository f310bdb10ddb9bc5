/*
 * resolved_destination: a destination that the queue decided, with its hosts in the order of
 * trying, and with a name that is the same for all destinations that differ only in the domain and
 * have the same hosts: by it the queue shares limits.  Pure: the caller passes the DNS answers in.
 */
#ifndef RELAY_RESOLVED_DESTINATION_H
#define RELAY_RESOLVED_DESTINATION_H

#include "mail/smtp_status.h"
#include "net/resolver.h"
#include "policy/destination.h"

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
	struct destination to;
	bool is_literal;  /* the next hop is an address literal */
	bool is_implicit; /* no MX: the domain's own address is used */
	uint32_t ttl_s;
	size_t count;
	struct resolved_host hosts[RESOLVED_HOSTS_MAX];
};

enum resolved_need { RESOLVED_COMPLETE, RESOLVED_NEEDS_MX };

/* Starts to resolve the destination with this text; the MX query is for its next hop.  A text that
 * cannot be parsed is a destination that is not deliverable.  room: text.n octets, which d->to
 * refers to. */
enum resolved_need resolved_begin(struct resolved_destination *d, struct str text, char *room);
/* Takes the answer to the MX query; after that the destination is complete. */
void resolved_take_mx(
    struct resolved_destination *d, struct str own_hostname, const struct resolver_answer *answer);

/* Parses a numeric address of a configuration, or of an address literal without its brackets
 * ("IPv6:..."). */
bool resolved_numeric_address(
    struct str text, uint16_t port, struct resolver_address *out) MUST_USE;

#endif

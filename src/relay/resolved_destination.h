/*
 * resolved_destination: where a domain's mail goes: route, then hosts in the order to try them, and
 * one string for all domains that share them, by which the queue schedules.  Pure: DNS answers come
 * in.
 */
#ifndef RELAY_RESOLVED_DESTINATION_H
#define RELAY_RESOLVED_DESTINATION_H

#include "mail/smtp_status.h"
#include "net/resolver.h"
#include "policy/routing.h"

enum { RESOLVED_HOSTS_MAX = 20, RESOLVED_NAME_BYTES = 300, RESOLVED_FIXED_TTL_S = 300 };
/* DNS tells how long an answer holds; neither a zero nor a week is believed. */
enum { RESOLVED_TTL_MIN_S = 30, RESOLVED_TTL_MAX_S = 3600, RESOLVED_FAILURE_TTL_S = 60 };

struct resolved_host {
	uint16_t preference;
	char name[256]; /* or a numeric address */
};

struct resolved_destination {
	char name[RESOLVED_NAME_BYTES]; /* "" when there is no way, see status */
	struct smtp_status status;       /* code 0: there is a way */
	const char *reason;
	const struct conf_route *route;
	unsigned route_number;
	uint16_t port;
	bool is_literal;  /* the address stood in the mail address */
	bool is_implicit; /* no MX: the domain's own address */
	bool allow_private;
	uint32_t ttl_s;
	size_t count;
	struct resolved_host hosts[RESOLVED_HOSTS_MAX];
};

enum resolved_need { RESOLVED_COMPLETE, RESOLVED_NEEDS_MX };

/* domain: lower case, A-labels or UTF-8, or an address literal.  ascii_out: the name to ask for. */
enum resolved_need resolved_begin(struct resolved_destination *d, const struct conf *conf,
    struct str domain, char ascii_out[256]);
/* The answer for MX; afterwards the destination is complete. */
void resolved_take_mx(struct resolved_destination *d, struct str own_hostname, struct str domain,
    const struct resolver_answer *answer);

/* A numeric address as it stands in a configuration or, unbracketed, in a literal ("IPv6:..."). */
bool resolved_numeric_address(
    struct str text, uint16_t port, struct resolver_address *out) MUST_USE;

#endif

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

enum { SITE_HOSTS_MAX = 20, SITE_NAME_BYTES = 300, SITE_FIXED_TTL_S = 300 };
/* DNS tells how long an answer holds; neither a zero nor a week is believed. */
enum { SITE_TTL_MIN_S = 30, SITE_TTL_MAX_S = 3600, SITE_FAILURE_TTL_S = 60 };

struct site_host {
	uint16_t preference;
	char name[256]; /* or a numeric address */
};

struct site {
	char name[SITE_NAME_BYTES]; /* "" when there is no way, see status */
	struct status status;       /* code 0: there is a way */
	const char *reason;
	const struct conf_route *route;
	unsigned route_number;
	uint16_t port;
	bool is_literal;  /* the address stood in the mail address */
	bool is_implicit; /* no MX: the domain's own address */
	bool allow_private;
	uint32_t ttl_s;
	size_t count;
	struct site_host hosts[SITE_HOSTS_MAX];
};

enum site_need { SITE_COMPLETE, SITE_NEEDS_MX };

/* domain: lower case, A-labels or UTF-8, or an address literal.  ascii_out: the name to ask for. */
enum site_need site_begin(
    struct site *s, const struct conf *conf, struct str domain, char ascii_out[256]);
/* The answer for MX; afterwards the site is complete. */
void site_got_mx(struct site *s, struct str own_hostname, struct str domain,
    const struct resolver_answer *answer);

/* A numeric address as it stands in a configuration or, unbracketed, in a literal ("IPv6:..."). */
bool site_numeric(struct str text, uint16_t port, struct resolver_address *out) MUST_USE;

#endif

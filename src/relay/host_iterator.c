/*
 * host_iterator: hosts by preference as far as ourselves, their IPv6 and IPv4 addresses by turns, a
 * bounded number of tries.
 */
#include "relay/host_iterator.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "relay/address_filter.h"
#include "relay/reason.h"

void
delivery_init(struct delivery *d, const struct site *site)
{
	*d = (struct delivery){.site = site};
}

/* Only when every host has refused for good is that the answer; and what a host said tells more
 * than that it could not be reached. */
static unsigned
rank(const struct status *s, const char *reason)
{
	if (s->code == 0)
		return 0;
	return 1 + 2 * status_is_temporary(s) + (strcmp(reason, REASON_CONNECT) != 0);
}

/* tls: NULL when no host was met. */
static void
note(struct delivery *d, const struct status *s, const char *reason, const char *tls)
{
	if (rank(s, reason) <= rank(&d->status, d->reason))
		return;
	d->status = *s;
	d->reason = reason;
	d->tls_of_status = tls;
	d->host_of_status = d->host;
	d->address_of_status = (struct resolver_address){.len = 0};
	if (d->address_count)
		d->address_of_status = d->addresses[d->address_at];
}

static void
next_host(struct delivery *d)
{
	d->host++;
	d->address_at = d->address_count = 0;
	d->in_clear = d->without_chunking = false;
}

static void
next_address(struct delivery *d)
{
	d->in_clear = d->without_chunking = false;
	if (++d->address_at >= d->address_count)
		next_host(d);
}

const char *
delivery_host(const struct delivery *d)
{
	return d->site->hosts[d->host].name;
}

const struct resolver_address *
delivery_address(const struct delivery *d)
{
	return &d->addresses[d->address_at];
}

/* A stranger chose this host, and it leads into our own network. */
static bool
leads_inside(const struct delivery *d, const struct resolver_address *a)
{
	return !d->site->allow_private && !range_is_public((const struct sockaddr *)&a->sa);
}

static void
add_address(struct delivery *d, const struct resolver_address *a)
{
	struct resolver_address *to = &d->addresses[d->address_count];

	if (d->address_count == DELIVERY_ADDRESSES_MAX || leads_inside(d, a))
		return;
	*to = *a;
	if (to->sa.ss_family == AF_INET)
		((struct sockaddr_in *)&to->sa)->sin_port = htons(d->site->port);
	else
		((struct sockaddr_in6 *)&to->sa)->sin6_port = htons(d->site->port);
	d->address_count++;
}

/* The next of one family from *at on; false: no more. */
static bool
add_next(struct delivery *d, const struct resolver_answer *a, sa_family_t family, size_t *at)
{
	while (*at < a->count && a->addresses[*at].sa.ss_family != family)
		++*at;
	if (*at == a->count)
		return false;
	add_address(d, &a->addresses[(*at)++]);
	return true;
}

/* Is this host ourselves under another name? */
static enum own_answer
leads_back(const struct delivery *d, const struct resolver_answer *a)
{
	enum own_answer answer = OWN_NO;

	if (!d->is_own || d->site->allow_private)
		return OWN_NO;
	for (size_t i = 0; i < a->count && answer == OWN_NO; i++) {
		const struct sockaddr *sa = (const struct sockaddr *)&a->addresses[i].sa;

		if (range_is_public(sa))
			answer = d->is_own(sa);
	}
	return answer;
}

/* RFC 5321 section 5.1: mail has come as far as us; hosts that are no better must not get it.  Nor
 * while it cannot be said whether it has. */
static void
end_at_ourselves(struct delivery *d, enum own_answer answer)
{
	struct status s = status_make(554, "5.4.6",
	    "mail loops back to this host: an address of %s is one of its own",
	    delivery_host(d));

	if (answer == OWN_UNKNOWN)
		s = status_make(451, "4.3.0",
		    "the addresses of this host cannot be read now, to compare those of %s with "
		    "them: %s",
		    delivery_host(d), strerrordesc_np(errno));
	note(d, &s, answer == OWN_UNKNOWN ? REASON_LOCAL : REASON_LOOP, NULL);
	d->host = d->site->count;
}

/* The operator wrote this host into a route: that it has no address is for the operator to mend (a
 * hosts file that is being written, a resolver that does not know the inside), and no reason to
 * return mail. */
static struct status
route_host_unknown(const struct delivery *d)
{
	return status_make(451, "4.3.5", "the host %s of the route has no address",
	    delivery_host(d));
}

static void
nothing_usable(struct delivery *d, const struct resolver_answer *a)
{
	struct status s;

	d->lacks_route_host = d->site->route->via != VIA_MX;
	if (d->lacks_route_host)
		s = route_host_unknown(d);
	else if (a->count)
		s = status_make(550, "5.4.4",
		    "%s has only addresses that are not on the public Internet "
		    "(see routes.allow_private)", delivery_host(d));
	else
		s = status_make(550, d->site->is_implicit ? "5.1.2" : "5.4.4", "%s has no address",
		    delivery_host(d));
	note(d, &s, a->count ? REASON_UNROUTABLE : REASON_DNS, NULL);
	next_host(d);
}

void
delivery_got_addresses(struct delivery *d, const struct resolver_answer *a)
{
	struct resolver_answer none = *a;
	size_t at6 = 0, at4 = 0;
	enum own_answer back;
	bool more = true;
	struct status s;

	d->lacks_route_host = false;
	if (a->outcome != RESOLVER_FOUND && a->outcome != RESOLVER_NO_DATA &&
	    a->outcome != RESOLVER_NO_NAME) {
		s = status_make(451, "4.4.3", "DNS gives no %s for the address of %s",
		    a->outcome == RESOLVER_BOGUS ? "valid answer" : "answer", delivery_host(d));
		note(d, &s, REASON_DNS, NULL);
		next_host(d);
		return;
	}
	if (a->outcome != RESOLVER_FOUND)
		none.count = 0;
	back = leads_back(d, &none);
	if (back != OWN_NO) {
		end_at_ourselves(d, back);
		return;
	}
	while (more) {
		more = add_next(d, &none, AF_INET6, &at6);
		more |= add_next(d, &none, AF_INET, &at4);
	}
	if (d->address_count == 0)
		nothing_usable(d, &none);
}

static void
take_numeric(struct delivery *d, const struct resolver_address *address)
{
	struct resolver_answer a = {.outcome = RESOLVER_FOUND, .addresses = address, .count = 1};

	delivery_got_addresses(d, &a);
}

enum delivery_step
delivery_step(struct delivery *d)
{
	struct resolver_address numeric;

	while (d->host < d->site->count && d->address_count == 0) {
		/* only where the operator or the sender wrote it: an MX must be a name */
		bool may_be_numeric = d->site->is_literal || d->site->route->via != VIA_MX;

		if (!site_numeric(str_of(delivery_host(d)), d->site->port, &numeric))
			return DELIVERY_NEEDS_ADDRESSES;
		if (may_be_numeric) {
			take_numeric(d, &numeric);
		} else {
			struct resolver_answer a = {.outcome = RESOLVER_NO_NAME};

			delivery_got_addresses(d, &a);
		}
	}
	if (d->host >= d->site->count || d->tries >= DELIVERY_TRIES_MAX)
		return DELIVERY_EXHAUSTED;
	return DELIVERY_CONNECT;
}

enum client_tls
delivery_tls(const struct delivery *d)
{
	switch (d->site->route->tls) {
	case ROUTE_TLS_NONE:
		return CLIENT_TLS_NEVER;
	case ROUTE_TLS_IMPLICIT:
		return CLIENT_TLS_STANDS;
	case ROUTE_TLS_OPPORTUNISTIC:
		return d->in_clear ? CLIENT_TLS_NEVER : CLIENT_TLS_IF_OFFERED;
	default:
		return CLIENT_TLS_MUST;
	}
}

static bool
may_fall_back(const struct delivery *d)
{
	return d->site->route->tls == ROUTE_TLS_OPPORTUNISTIC && !d->in_clear &&
	       d->site->route->username.n == 0;
}

void
delivery_tls_failed(struct delivery *d, const struct status *s, const char *tls)
{
	d->tries++;
	if (may_fall_back(d)) {
		d->in_clear = true;
		return;
	}
	note(d, s, REASON_TLS, tls);
	next_address(d);
}

void
delivery_failed(struct delivery *d, const struct client_end *end, const char *tls)
{
	d->tries++;
	if (end->bad_chunking && !d->without_chunking) {
		d->without_chunking = true;
		return;
	}
	note(d, &end->status, end->reason, tls);
	next_address(d);
}

struct status
delivery_verdict(const struct delivery *d, const char **reason_out)
{
	*reason_out = d->reason ? d->reason : REASON_DNS;
	if (d->status.code == 0)
		return status_make(451, "4.4.4", "no host could be tried");
	return d->status;
}

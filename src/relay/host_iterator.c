/*
 * host_iterator: tries the hosts by preference, as far as the first host that is this machine; for
 * each host its IPv6 and IPv4 addresses in turn; and no more than a fixed number of addresses.
 */
#include "relay/host_iterator.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "relay/address_filter.h"
#include "relay/reason.h"

void
host_iterator_init(struct host_iterator *it, const struct resolved_destination *destination)
{
	*it = (struct host_iterator){.destination = destination};
}

/* Ranks a status: the higher one is kept.  A permanent failure is the result only if every host
 * failed permanently; and a reply of a host tells more than a failed connection. */
static unsigned
rank_host_status(const struct smtp_status *s, const char *reason)
{
	if (s->code == 0)
		return 0;
	return 1 + 2 * smtp_status_is_temporary(s) + (strcmp(reason, REASON_CONNECT) != 0);
}

/* tls: NULL when no connection to a host was made. */
static void
note_host_status(
    struct host_iterator *it, const struct smtp_status *s, const char *reason, const char *tls)
{
	if (rank_host_status(s, reason) <= rank_host_status(&it->status, it->reason))
		return;
	it->status = *s;
	it->reason = reason;
	it->tls_of_status = tls;
	it->host_of_status = it->host_index;
	it->address_of_status = (struct resolver_address){.len = 0};
	if (it->address_count)
		it->address_of_status = it->addresses[it->address_index];
}

static void
move_to_next_host(struct host_iterator *it)
{
	it->host_index++;
	it->address_index = it->address_count = 0;
	it->in_plaintext = it->without_chunking = false;
}

static void
move_to_next_address(struct host_iterator *it)
{
	it->in_plaintext = it->without_chunking = false;
	if (++it->address_index >= it->address_count)
		move_to_next_host(it);
}

const char *
host_iterator_host(const struct host_iterator *it)
{
	return it->destination->hosts[it->host_index].name;
}

const struct resolver_address *
host_iterator_address(const struct host_iterator *it)
{
	return &it->addresses[it->address_index];
}

/* The host comes from a foreign domain, and its address belongs to the local network. */
static bool
leads_to_private_network(const struct host_iterator *it, const struct resolver_address *a)
{
	return !it->destination->to.allow_private &&
	       !address_filter_is_public((const struct sockaddr *)&a->sa);
}

static void
add_usable_address(struct host_iterator *it, const struct resolver_address *a)
{
	struct resolver_address *to = &it->addresses[it->address_count];

	if (it->address_count == HOST_ITERATOR_ADDRESSES_MAX || leads_to_private_network(it, a))
		return;
	*to = *a;
	if (to->sa.ss_family == AF_INET)
		((struct sockaddr_in *)&to->sa)->sin_port = htons(it->destination->to.port);
	else
		((struct sockaddr_in6 *)&to->sa)->sin6_port = htons(it->destination->to.port);
	it->address_count++;
}

/* Adds the next address of one family from *at on; false: there is none. */
static bool
add_next_of_family(
    struct host_iterator *it, const struct resolver_answer *a, sa_family_t family, size_t *at)
{
	while (*at < a->count && a->addresses[*at].sa.ss_family != family)
		++*at;
	if (*at == a->count)
		return false;
	add_usable_address(it, &a->addresses[(*at)++]);
	return true;
}

/* Whether one of the addresses belongs to this machine. */
static enum own_address_answer
leads_to_own_address(const struct host_iterator *it, const struct resolver_answer *a)
{
	enum own_address_answer answer = OWN_ADDRESS_NO;

	if (!it->is_own || it->destination->to.allow_private)
		return OWN_ADDRESS_NO;
	for (size_t i = 0; i < a->count && answer == OWN_ADDRESS_NO; i++) {
		const struct sockaddr *sa = (const struct sockaddr *)&a->addresses[i].sa;

		if (address_filter_is_public(sa))
			answer = it->is_own(sa);
	}
	return answer;
}

/* RFC 5321 section 5.1: the message has reached this host, so hosts with a worse preference must
 * not get it.  The same holds while it is not known whether the address belongs to this machine. */
static void
stop_at_own_address(struct host_iterator *it, enum own_address_answer answer)
{
	struct smtp_status s = smtp_status_make(554, "5.4.6",
	    "mail loops back to this host: an address of %s is one of its own",
	    host_iterator_host(it));

	if (answer == OWN_ADDRESS_UNKNOWN)
		s = smtp_status_make(451, "4.3.0",
		    "the addresses of this host cannot be read now, to compare those of %s with "
		    "them: %s",
		    host_iterator_host(it), strerrordesc_np(errno));
	note_host_status(it, &s, answer == OWN_ADDRESS_UNKNOWN ? REASON_LOCAL : REASON_LOOP, NULL);
	it->host_index = it->destination->count;
}

/* The operator wrote this host into a route.  If it has no address, the operator has to correct
 * that (a hosts file that is being written, a resolver that does not know internal names); mail
 * must not be returned for it. */
static struct smtp_status
route_host_unknown(const struct host_iterator *it)
{
	return smtp_status_make(451, "4.3.5", "the host %s of the route has no address",
	    host_iterator_host(it));
}

static void
note_no_usable_address(struct host_iterator *it, const struct resolver_answer *a)
{
	struct smtp_status s;

	it->lacks_route_host = destination_names_host(&it->destination->to);
	if (it->lacks_route_host)
		s = route_host_unknown(it);
	else if (a->count)
		s = smtp_status_make(550, "5.4.4",
		    "%s has only addresses that are not on the public Internet "
		    "(see routes.allow_private)", host_iterator_host(it));
	else
		s = smtp_status_make(550, it->destination->is_implicit ? "5.1.2" : "5.4.4",
		    "%s has no address", host_iterator_host(it));
	note_host_status(it, &s, a->count ? REASON_UNROUTABLE : REASON_DNS, NULL);
	move_to_next_host(it);
}

void
host_iterator_got_addresses(struct host_iterator *it, const struct resolver_answer *a)
{
	struct resolver_answer usable = *a;
	size_t at6 = 0, at4 = 0;
	enum own_address_answer own;
	bool more = true;
	struct smtp_status s;

	it->lacks_route_host = false;
	if (a->outcome != RESOLVER_FOUND && a->outcome != RESOLVER_NO_DATA &&
	    a->outcome != RESOLVER_NO_NAME) {
		s = smtp_status_make(451, "4.4.3", "DNS gives no %s for the address of %s",
		    a->outcome == RESOLVER_BOGUS ? "valid answer" : "answer",
		    host_iterator_host(it));
		note_host_status(it, &s, REASON_DNS, NULL);
		move_to_next_host(it);
		return;
	}
	if (a->outcome != RESOLVER_FOUND)
		usable.count = 0;
	own = leads_to_own_address(it, &usable);
	if (own != OWN_ADDRESS_NO) {
		stop_at_own_address(it, own);
		return;
	}
	while (more) {
		more = add_next_of_family(it, &usable, AF_INET6, &at6);
		more |= add_next_of_family(it, &usable, AF_INET, &at4);
	}
	if (it->address_count == 0)
		note_no_usable_address(it, &usable);
}

static void
take_numeric_address(struct host_iterator *it, const struct resolver_address *address)
{
	struct resolver_answer a = {.outcome = RESOLVER_FOUND, .addresses = address, .count = 1};

	host_iterator_got_addresses(it, &a);
}

enum host_iterator_step
host_iterator_step(struct host_iterator *it)
{
	struct resolver_address numeric;

	while (it->host_index < it->destination->count && it->address_count == 0) {
		/* only the operator or the sender may write a numeric address: an MX must be a
		 * name */
		bool may_be_numeric =
		    it->destination->is_literal || destination_names_host(&it->destination->to);

		if (!resolved_numeric_address(
		        str_of(host_iterator_host(it)), it->destination->to.port, &numeric))
			return HOST_ITERATOR_NEEDS_ADDRESSES;
		if (may_be_numeric) {
			take_numeric_address(it, &numeric);
		} else {
			struct resolver_answer a = {.outcome = RESOLVER_NO_NAME};

			host_iterator_got_addresses(it, &a);
		}
	}
	if (it->host_index >= it->destination->count || it->tries >= HOST_ITERATOR_TRIES_MAX)
		return HOST_ITERATOR_EXHAUSTED;
	return HOST_ITERATOR_CONNECT;
}

enum smtp_client_tls
host_iterator_tls(const struct host_iterator *it)
{
	switch (it->destination->to.tls) {
	case ROUTE_TLS_NONE:
		return SMTP_CLIENT_TLS_NEVER;
	case ROUTE_TLS_IMPLICIT:
		return SMTP_CLIENT_TLS_IMPLICIT;
	case ROUTE_TLS_OPPORTUNISTIC:
		return it->in_plaintext ? SMTP_CLIENT_TLS_NEVER : SMTP_CLIENT_TLS_IF_OFFERED;
	default:
		return SMTP_CLIENT_TLS_REQUIRED;
	}
}

static bool
may_retry_in_plaintext(const struct host_iterator *it)
{
	return it->destination->to.tls == ROUTE_TLS_OPPORTUNISTIC && !it->in_plaintext &&
	       it->destination->to.login.n == 0;
}

void
host_iterator_tls_failed(struct host_iterator *it, const struct smtp_status *s, const char *tls)
{
	it->tries++;
	if (may_retry_in_plaintext(it)) {
		it->in_plaintext = true;
		return;
	}
	note_host_status(it, s, REASON_TLS, tls);
	move_to_next_address(it);
}

void
host_iterator_failed(struct host_iterator *it, const struct smtp_client_end *end, const char *tls)
{
	it->tries++;
	if (end->bad_chunking && !it->without_chunking) {
		it->without_chunking = true;
		return;
	}
	note_host_status(it, &end->status, end->reason, tls);
	move_to_next_address(it);
}

struct smtp_status
host_iterator_status(const struct host_iterator *it, const char **reason_out)
{
	*reason_out = it->reason ? it->reason : REASON_DNS;
	if (it->status.code == 0)
		return smtp_status_make(451, "4.4.4", "no host could be tried");
	return it->status;
}

/*
 * resolved_destination: the rules of RFC 5321 section 5.1 and RFC 7505 (null MX).  The name is the
 * text of the destination with its hosts, sorted, in place of the next hop.
 */
#include "relay/resolved_destination.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/mem.h"
#include "net/endpoint.h"
#include "relay/reason.h"

enum { RESOLVED_NAMES_MAX = RESOLVED_HOSTS_MAX * 257 + 40, HASH_BYTES = 32, HASH_SHOWN = 16 };

static void
set_unroutable(struct resolved_destination *d, struct smtp_status status, const char *reason)
{
	d->status = status;
	d->reason = reason;
	d->count = 0;
	d->name[0] = '\0';
	d->ttl_s = RESOLVED_FAILURE_TTL_S;
}

static void
add_destination_host(struct resolved_destination *d, struct str name, uint16_t preference)
{
	struct resolved_host *h = &d->hosts[d->count];

	if (d->count == RESOLVED_HOSTS_MAX || name.n >= sizeof h->name)
		return;
	memcpy(h->name, name.p, name.n);
	h->name[name.n] = '\0';
	h->preference = preference;
	d->count++;
}

bool
resolved_numeric_address(struct str text, uint16_t port, struct resolver_address *out)
{
	if (str_istarts(text, STR("ipv6:")))
		text = str_from(text, 5);
	out->len = endpoint_parse(text, port, &out->sa);
	return out->len > 0;
}

/* ---- the destination's name ---- */

static int
compare_host_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
add_host_names(const struct resolved_destination *d, struct buf *out)
{
	const char *names[RESOLVED_HOSTS_MAX];

	for (size_t i = 0; i < d->count; i++)
		names[i] = d->hosts[i].name;
	qsort(names, d->count, sizeof *names, compare_host_names);
	for (size_t i = 0; i < d->count; i++)
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			buf_addf(out, "%s%s", i ? "," : "", names[i]);
}

/* A name that is too long is replaced by the name of one host and a hash of the whole. */
static void
shorten_destination_name(const struct resolved_destination *d, struct buf *text)
{
	unsigned char hash[HASH_BYTES];

	if (text->n < RESOLVED_NAME_BYTES)
		return;
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text->p, text->n, hash) < 0)
		die("relay: no SHA-256");
	buf_reset(text);
	buf_addf(text, "%s:", destination_transport_name(&d->to));
	buf_adds(text, str_upto(str_of(d->hosts[0].name), RESOLVED_NAME_BYTES - 80));
	buf_addf(text, "+%zu:", d->count - 1);
	encode_hex(text, str_make((char *)hash, HASH_SHOWN));
}

static void
set_destination_name(struct resolved_destination *d)
{
	struct destination with_hosts = d->to;
	struct buf hosts, text;

	buf_init(&hosts, RESOLVED_NAMES_MAX);
	buf_init(&text, DESTINATION_TEXT_MAX);
	add_host_names(d, &hosts);
	with_hosts.next_hop = buf_str(&hosts);
	destination_format(&with_hosts, &text);
	shorten_destination_name(d, &text);
	memcpy(d->name, text.p, text.n);
	d->name[text.n] = '\0';
	buf_clear(&hosts);
	buf_clear(&text);
}

/* ---- the next hop ---- */

static void
use_route_host(struct resolved_destination *d)
{
	add_destination_host(d, d->to.next_hop, 0);
	d->ttl_s = RESOLVED_FIXED_TTL_S;
	set_destination_name(d);
}

static void
use_address_literal(struct resolved_destination *d, struct str inner)
{
	struct resolver_address address;
	char text[INET6_ADDRSTRLEN_];
	uint16_t port;

	if (!resolved_numeric_address(inner, d->to.port, &address)) {
		set_unroutable(d,
		    smtp_status_make(501, "5.1.3", "the address literal is not valid"), REASON_DNS);
		return;
	}
	endpoint_text(&address.sa, text, &port);
	d->is_literal = true;
	d->ttl_s = RESOLVED_TTL_MAX_S;
	add_destination_host(d, str_of(text), 0);
	set_destination_name(d);
}

static enum resolved_need
begin_mx(struct resolved_destination *d)
{
	struct str domain = d->to.next_hop;

	if (domain.n && domain.p[0] == '[') {
		use_address_literal(d, str_from(str_upto(domain, domain.n - 1), 1));
		return RESOLVED_COMPLETE;
	}
	if (domain.n && domain.n < IDN_BYTES && str_is_ascii(domain))
		return RESOLVED_NEEDS_MX;
	set_unroutable(
	    d, smtp_status_make(550, "5.1.2", "the domain name is not valid"), REASON_DNS);
	return RESOLVED_COMPLETE;
}

enum resolved_need
resolved_begin(struct resolved_destination *d, struct str text, char *room)
{
	memset(d, 0, offsetof(struct resolved_destination, hosts));
	d->reason = REASON_NONE;
	if (!destination_parse(text, room, &d->to)) {
		d->to = (struct destination){.transport = VIA_MX};
		set_unroutable(d, smtp_status_make(451, "4.3.0", "the destination cannot be read"),
		    REASON_LOCAL);
		return RESOLVED_COMPLETE;
	}
	if (!destination_names_host(&d->to))
		return begin_mx(d);
	use_route_host(d);
	return RESOLVED_COMPLETE;
}

/* ---- the MX set ---- */

static uint32_t
bounded_ttl(uint32_t ttl_s)
{
	if (ttl_s < RESOLVED_TTL_MIN_S)
		return RESOLVED_TTL_MIN_S;
	return ttl_s > RESOLVED_TTL_MAX_S ? RESOLVED_TTL_MAX_S : ttl_s;
}

/* The best preference of our own host name among the MX records: only hosts with a better one may
 * get the message, because it has reached this host (section 5.1). */
static uint32_t
own_preference(const struct resolver_answer *a, struct str own_hostname)
{
	uint32_t best = UINT32_MAX;

	for (size_t i = 0; i < a->count; i++)
		if (str_ieq(str_of(a->mx[i].host), own_hostname) && a->mx[i].preference < best)
			best = a->mx[i].preference;
	return best;
}

static bool
is_null_mx(const struct resolver_answer *a)
{
	return a->count == 1 && a->mx[0].host[0] == '\0';
}

static void
take_mx_set(
    struct resolved_destination *d, struct str own_hostname, const struct resolver_answer *a)
{
	struct str domain = d->to.next_hop;
	uint32_t limit = own_preference(a, own_hostname);

	for (size_t i = 0; i < a->count; i++)
		if (a->mx[i].preference < limit && a->mx[i].host[0])
			add_destination_host(d, str_of(a->mx[i].host), a->mx[i].preference);
	d->ttl_s = bounded_ttl(a->ttl_s);
	if (d->count)
		set_destination_name(d);
	else if (limit != UINT32_MAX)
		set_unroutable(d,
		    smtp_status_make(
		        554, "5.4.6", "mail for %.*s loops back to this host", STR_ARG(domain)),
		    REASON_LOOP);
	else
		set_unroutable(d,
		    smtp_status_make(550, "5.1.2", "%.*s has no usable MX", STR_ARG(domain)),
		    REASON_DNS);
}

/* Section 5.1: without MX the domain's own address counts as an MX of preference 0. */
static void
use_implicit_mx(struct resolved_destination *d, struct str own_hostname, uint32_t ttl_s)
{
	struct str domain = d->to.next_hop;

	if (str_ieq(domain, own_hostname)) {
		set_unroutable(d,
		    smtp_status_make(
		        554, "5.4.6", "mail for %.*s loops back to this host", STR_ARG(domain)),
		    REASON_LOOP);
		return;
	}
	add_destination_host(d, domain, 0);
	d->is_implicit = true;
	d->ttl_s = bounded_ttl(ttl_s);
	set_destination_name(d);
}

void
resolved_take_mx(
    struct resolved_destination *d, struct str own_hostname, const struct resolver_answer *a)
{
	struct str domain = d->to.next_hop;

	switch (a->outcome) {
	case RESOLVER_FOUND:
		if (is_null_mx(a))
			set_unroutable(d,
			    smtp_status_make(
			        556, "5.1.10", "%.*s accepts no mail (null MX)", STR_ARG(domain)),
			    REASON_DNS);
		else
			take_mx_set(d, own_hostname, a);
		break;
	case RESOLVER_NO_DATA:
		use_implicit_mx(d, own_hostname, a->ttl_s);
		break;
	case RESOLVER_NO_NAME:
		set_unroutable(d,
		    smtp_status_make(
		        550, "5.1.2", "the domain %.*s does not exist", STR_ARG(domain)),
		    REASON_DNS);
		break;
	case RESOLVER_BOGUS:
		set_unroutable(d,
		    smtp_status_make(
		        451, "4.4.3", "DNSSEC validation failed for %.*s", STR_ARG(domain)),
		    REASON_DNS);
		break;
	default:
		set_unroutable(d,
		    smtp_status_make(451, "4.4.3", "DNS gives no answer for %.*s", STR_ARG(domain)),
		    REASON_DNS);
	}
}

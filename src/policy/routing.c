/*
 * routing: of all entries that match, the first one of the list is used.
 */
#include "policy/routing.h"

#include "conf/list_index.h"

/* all zero: every domain, via MX, opportunistic TLS, no private addresses */
static const struct conf_route built_in;

static int64_t
routing_earlier(int64_t a, int64_t b)
{
	if (a == LIST_INDEX_NONE || b == LIST_INDEX_NONE)
		return a == LIST_INDEX_NONE ? b : a;
	return a < b ? a : b;
}

/* "*.example.com" matches all names below example.com, not example.com itself. */
static int64_t
routing_find_below(const struct conf *c, struct str domain)
{
	int64_t first = LIST_INDEX_NONE;

	for (size_t i = 1; i < domain.n; i++)
		if (domain.p[i] == '.')
			first = routing_earlier(first,
			    list_index_find(&c->routes_by_domain, str_from(domain, i)));
	return first;
}

const struct conf_route *
routing_find_route(const struct conf *c, struct str domain)
{
	int64_t for_all = list_index_find(&c->routes_by_domain, STR_NULL);
	bool is_name = domain.n > 0 && domain.p[0] != '.';
	int64_t exact = is_name ? list_index_find(&c->routes_by_domain, domain) : for_all;
	int64_t first =
	    routing_earlier(exact, routing_earlier(for_all, routing_find_below(c, domain)));

	return first == LIST_INDEX_NONE ? &built_in : &c->routes.item[first];
}

unsigned
routing_route_number(const struct conf *c, const struct conf_route *r)
{
	const struct conf_route *first = c->routes.item;

	return r >= first && r < first + c->routes.count ? (unsigned)(r - first) + 1 : 0;
}

uint16_t
routing_port(const struct conf_route *r)
{
	if (r->port)
		return (uint16_t)r->port;
	if (r->via == VIA_LMTP)
		return 24;
	if (r->tls == ROUTE_TLS_IMPLICIT)
		return 465;
	return r->tls == ROUTE_TLS_STARTTLS ? 587 : 25;
}

const char *
routing_via_name(int64_t via)
{
	switch (via) {
	case VIA_SMARTHOST:
		return "smarthost";
	case VIA_SMTP:
		return "smtp";
	case VIA_LMTP:
		return "lmtp";
	default:
		return "mx";
	}
}

const char *
routing_tls_name(int64_t tls)
{
	switch (tls) {
	case ROUTE_TLS_NONE:
		return "none";
	case ROUTE_TLS_ENCRYPT:
		return "encrypt";
	case ROUTE_TLS_VERIFY:
		return "verify";
	case ROUTE_TLS_IMPLICIT:
		return "implicit";
	case ROUTE_TLS_STARTTLS:
		return "starttls";
	default:
		return "opportunistic";
	}
}

/*
 * route: a walk down the list; what matches first wins.
 */
#include "policy/route.h"

/* zero bytes: every domain, via MX, opportunistic TLS, no private addresses */
static const struct conf_route built_in;

/* "*.example.com" is for all below, not for example.com itself. */
static bool
is_match(struct str pattern, struct str domain)
{
	if (pattern.n == 0)
		return true;
	if (str_starts(pattern, STR("*.")))
		return domain.n > pattern.n - 1 && str_iends(domain, str_from(pattern, 1));
	return str_ieq(pattern, domain);
}

const struct conf_route *
route_find(const struct conf *c, struct str domain)
{
	for (size_t i = 0; i < c->routes.count; i++)
		if (is_match(c->routes.item[i].to_domain, domain))
			return &c->routes.item[i];
	return &built_in;
}

unsigned
route_number(const struct conf *c, const struct conf_route *r)
{
	for (size_t i = 0; i < c->routes.count; i++)
		if (r == &c->routes.item[i])
			return (unsigned)i + 1;
	return 0;
}

uint16_t
route_port(const struct conf_route *r)
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
route_via_name(int64_t via)
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
route_tls_name(int64_t tls)
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

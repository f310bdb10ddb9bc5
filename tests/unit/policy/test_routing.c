/* routing: the first match is used, "*." matches the names below a domain, and ports follow the
 * kind of route. */
#include "policy/routing.h"

#include <stdio.h>

#include "support.h"

static const char routes[] =
    "routes: ( { to_domain = \"exact.example\"; via = \"smtp\"; host = \"a\"; },"
    "  { to_domain = \"*.star.example\"; via = \"lmtp\"; host = \"b\"; },"
    "  { to_domain = \"*.exact.example\"; via = \"smarthost\"; host = \"c\"; tls = \"implicit\"; } "
    ");";

Test(routing, finds_the_first_match)
{
	static const struct {
		const char *domain;
		unsigned number;
	} cases[] = {
		{"exact.example", 1}, {"EXACT.example", 1}, {"sub.exact.example", 3},
		{"a.b.exact.example", 3}, {"notexact.example", 0}, {"star.example", 0},
		{"x.star.example", 2}, {".star.example", 0}, {"xstar.example", 0}, {"", 0},
		{"example", 0}, {"exact.example.net", 0},
	};
	struct conf *c = conf_of(routes);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct conf_route *r = routing_find_route(c, str_of(cases[i].domain));

		cr_expect_eq(routing_route_number(c, r), cases[i].number, "%s: %u", cases[i].domain,
		    routing_route_number(c, r));
	}
	conf_drop(&c);
}

Test(routing, without_a_match_via_mx)
{
	struct conf *c = conf_of("routes: ( );");
	const struct conf_route *r = routing_find_route(c, STR("any.example"));

	cr_assert_eq(r->via, VIA_MX);
	cr_assert_eq(r->tls, ROUTE_TLS_OPPORTUNISTIC);
	cr_assert_not(r->allow_private);
	cr_assert_eq(routing_port(r), 25);
	conf_drop(&c);
}

Test(routing, default_is_one_route_via_mx)
{
	struct conf *c = conf_of("");

	cr_assert_eq(routing_route_number(c, routing_find_route(c, STR("any.example"))), 1);
	conf_drop(&c);
}

Test(routing, port_follows_via_and_tls)
{
	static const struct {
		struct conf_route route;
		uint16_t port;
	} cases[] = {
		{{.via = VIA_MX}, 25},
		{{.via = VIA_MX, .port = 2525}, 2525},
		{{.via = VIA_SMTP, .tls = ROUTE_TLS_VERIFY}, 25},
		{{.via = VIA_SMARTHOST, .tls = ROUTE_TLS_IMPLICIT}, 465},
		{{.via = VIA_SMARTHOST, .tls = ROUTE_TLS_STARTTLS}, 587},
		{{.via = VIA_LMTP}, 24},
		{{.via = VIA_LMTP, .tls = ROUTE_TLS_STARTTLS}, 24},
		{{.via = VIA_SMARTHOST, .tls = ROUTE_TLS_IMPLICIT, .port = 65535}, 65535},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(routing_port(&cases[i].route), cases[i].port, "case %zu", i);
}

/* The words of the manual, as they are read from the configuration and as they are logged. */
Test(routing, each_word_has_its_meaning)
{
	static const char *const vias[] = {[VIA_MX] = "mx", [VIA_SMARTHOST] = "smarthost",
	    [VIA_SMTP] = "smtp", [VIA_LMTP] = "lmtp"};
	static const char *const words[] = {[ROUTE_TLS_OPPORTUNISTIC] = "opportunistic",
	    [ROUTE_TLS_NONE] = "none",
	    [ROUTE_TLS_ENCRYPT] = "encrypt",
	    [ROUTE_TLS_VERIFY] = "verify",
	    [ROUTE_TLS_IMPLICIT] = "implicit",
	    [ROUTE_TLS_STARTTLS] = "starttls"};

	for (size_t via = 0; via < sizeof vias / sizeof vias[0]; via++)
		for (size_t tls = 0; tls < sizeof words / sizeof words[0]; tls++) {
			char text[200];
			struct conf *c;

			snprintf(text, sizeof text, "routes: ( { via = \"%s\"; tls = \"%s\"; } );",
			    vias[via], words[tls]);
			c = conf_of(text);
			cr_expect_eq(c->routes.item[0].via, (int64_t)via, "%s", text);
			cr_expect_eq(c->routes.item[0].tls, (int64_t)tls, "%s", text);
			cr_expect_str_eq(routing_via_name((int64_t)via), vias[via]);
			cr_expect_str_eq(routing_tls_name((int64_t)tls), words[tls]);
			conf_drop(&c);
		}
}

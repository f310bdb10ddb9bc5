/* Destinations from given DNS answers, routes and address literals. */
#include "relay/resolved_destination.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "relay/address_filter.h"
#include "unit/relay/routes.h"

struct mx_case {
	const char *why;
	struct resolver_answer answer;
	struct resolver_mx mx[6];
	const char *name; /* of the destination; "": none */
	unsigned code;
	const char *enhanced;
	size_t hosts;
	uint32_t ttl_s;
};

static const struct mx_case mx_cases[] = {
    {.why = "one",
	.answer = {RESOLVER_FOUND, .ttl_s = 300, .count = 1},
	.mx = {{10, "mx.a.test"}},
	.name = "mx:mx.a.test",
	.hosts = 1,
	.ttl_s = 300},
    {.why = "the name has the hosts by name, the list by preference",
	.answer = {RESOLVER_FOUND, .ttl_s = 5, .count = 3},
	.mx = {{10, "z.test"}, {20, "b.test"}, {30, "a.test"}},
	.name = "mx:a.test,b.test,z.test",
	.hosts = 3,
	.ttl_s = RESOLVED_TTL_MIN_S},
    {.why = "the same host twice",
	.answer = {RESOLVER_FOUND, .ttl_s = 999999, .count = 2},
	.mx = {{10, "a.test"}, {20, "a.test"}},
	.name = "mx:a.test",
	.hosts = 2,
	.ttl_s = RESOLVED_TTL_MAX_S},
    {.why = "null MX",
	.answer = {RESOLVER_FOUND, .count = 1},
	.mx = {{0, ""}},
	.name = "",
	.code = 556,
	.enhanced = "5.1.10"},
    {.why = "a null among others is left out",
	.answer = {RESOLVER_FOUND, .count = 2, .ttl_s = 60},
	.mx = {{0, ""}, {10, "a.test"}},
	.name = "mx:a.test",
	.hosts = 1,
	.ttl_s = 60},
    {.why = "we are the best",
	.answer = {RESOLVER_FOUND, .count = 2},
	.mx = {{10, "gw.example.com"}, {20, "a.test"}},
	.name = "",
	.code = 554,
	.enhanced = "5.4.6"},
    {.why = "we are among the best",
	.answer = {RESOLVER_FOUND, .count = 2},
	.mx = {{10, "a.test"}, {10, "GW.example.com"}},
	.name = "",
	.code = 554,
	.enhanced = "5.4.6"},
    {.why = "we are the second",
	.answer = {RESOLVER_FOUND, .ttl_s = 60, .count = 3},
	.mx = {{10, "a.test"}, {20, "gw.example.com"}, {30, "b.test"}},
	.name = "mx:a.test",
	.hosts = 1,
	.ttl_s = 60},
    {.why = "no MX",
	.answer = {RESOLVER_NO_DATA, .ttl_s = 60},
	.name = "mx:b.test",
	.hosts = 1,
	.ttl_s = 60},
    {.why = "no name",
	.answer = {.outcome = RESOLVER_NO_NAME},
	.name = "",
	.code = 550,
	.enhanced = "5.1.2"},
    {.why = "bogus",
	.answer = {.outcome = RESOLVER_BOGUS},
	.name = "",
	.code = 451,
	.enhanced = "4.4.3"},
    {.why = "failed",
	.answer = {.outcome = RESOLVER_FAILED},
	.name = "",
	.code = 451,
	.enhanced = "4.4.3"},
    {.why = "timeout",
	.answer = {.outcome = RESOLVER_TIMEOUT},
	.name = "",
	.code = 451,
	.enhanced = "4.4.3"},
};

Test(relay_destination, from_mx_records)
{
	struct conf *c = routes_of("");

	for (size_t i = 0; i < sizeof mx_cases / sizeof *mx_cases; i++) {
		const struct mx_case *test_case = &mx_cases[i];
		struct resolver_answer a = test_case->answer;
		char room[NEXT_HOP_ROOM], enhanced[SMTP_STATUS_ENHANCED_BYTES];
		struct resolved_destination d;

		a.mx = test_case->mx;
		cr_expect_eq(begin_domain(&d, c, STR("b.test"), room), RESOLVED_NEEDS_MX);
		resolved_take_mx(&d, c->hostname, &a);
		cr_expect_str_eq(d.name, test_case->name, "%s: \"%s\"", test_case->why, d.name);
		cr_expect_eq(
		    d.status.code, test_case->code, "%s: %u", test_case->why, d.status.code);
		cr_expect_eq(d.count, test_case->hosts, "%s: %zu", test_case->why, d.count);
		if (test_case->code)
			cr_expect_str_eq(smtp_status_enhanced(&d.status, enhanced),
			    test_case->enhanced, "%s", test_case->why);
		else
			cr_expect_eq(d.ttl_s, test_case->ttl_s, "%s: %u", test_case->why, d.ttl_s);
	}
	conf_drop(&c);
}

Test(relay_destination, many_hosts)
{
	struct conf *c = routes_of("");
	struct resolver_mx mx[RESOLVER_MX_MAX];
	struct resolver_answer a = {
	    RESOLVER_FOUND, .ttl_s = 60, .mx = mx, .count = RESOLVER_MX_MAX};
	struct resolved_destination d, other;
	char room[NEXT_HOP_ROOM], other_room[NEXT_HOP_ROOM];

	for (size_t i = 0; i < RESOLVER_MX_MAX; i++) {
		mx[i].preference = (uint16_t)i;
		snprintf(mx[i].host, sizeof mx[i].host, "%0200zu.test", i);
	}
	cr_assert_eq(begin_domain(&d, c, STR("b.test"), room), RESOLVED_NEEDS_MX);
	resolved_take_mx(&d, c->hostname, &a);
	cr_expect_eq(d.count, RESOLVED_HOSTS_MAX);
	cr_expect_lt(strlen(d.name), RESOLVED_NAME_BYTES);
	snprintf(mx[9].host, sizeof mx[9].host, "another.test");
	cr_assert_eq(begin_domain(&other, c, STR("b.test"), other_room), RESOLVED_NEEDS_MX);
	resolved_take_mx(&other, c->hostname, &a);
	cr_expect_str_neq(d.name, other.name, "another set of hosts is another destination");
	conf_drop(&c);
}

Test(relay_destination, routes_and_literals)
{
	static const struct {
		struct str domain;
		enum resolved_need need;
		const char *name;
		unsigned code;
		uint16_t port;
		bool may_be_private;
	} cases[] = {
	    {STR("fixed.test"), RESOLVED_COMPLETE, "smtp:192.168.0.9;port=2525", 0, 2525, true},
	    {STR("smart.test"), RESOLVED_COMPLETE, "smarthost:smart.example.net;tls=implicit", 0,
	        465, true},
	    {STR("dovecot.test"), RESOLVED_COMPLETE, "lmtp:127.0.0.1", 0, 24, true},
	    {STR("inside.test"), RESOLVED_NEEDS_MX, "", 0, 26, true},
	    {STR("other.test"), RESOLVED_NEEDS_MX, "", 0, 25, false},
	    {STR("[192.0.2.1]"), RESOLVED_COMPLETE, "mx:192.0.2.1", 0, 25, false},
	    {STR("[IPv6:2001:DB8::1]"), RESOLVED_COMPLETE, "mx:2001:db8::1", 0, 25, false},
	    {STR("[ipv6:::1]"), RESOLVED_COMPLETE, "mx:::1", 0, 25, false},
	    {STR("[192.0.2.999]"), RESOLVED_COMPLETE, "", 501, 25, false},
	    {STR("[]"), RESOLVED_COMPLETE, "", 501, 25, false},
	    {STR("["), RESOLVED_COMPLETE, "", 501, 25, false},
	    {STR("b\xc3\xbc"
	         "cher.test"),
	        RESOLVED_NEEDS_MX, "", 0, 25, false},
	    {STR("\xff.test"), RESOLVED_COMPLETE, "", 550, 25, false},
	    {{"", 0}, RESOLVED_COMPLETE, "", 550, 25, false},
	};
	struct conf *c = routes_of(
	    "routes: ("
	    "{ to_domain = \"fixed.test\"; via = \"smtp\"; host = \"192.168.0.9\"; port = 2525; },"
	    "{ to_domain = \"smart.test\"; via = \"smarthost\"; host = \"smart.example.net\";"
	    "  tls = \"implicit\"; },"
	    "{ to_domain = \"dovecot.test\"; via = \"lmtp\"; host = \"127.0.0.1\"; },"
	    "{ to_domain = \"inside.test\"; via = \"mx\"; port = 26; allow_private = true; } );\n");

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char room[NEXT_HOP_ROOM];
		struct resolved_destination d;

		cr_expect_eq(begin_domain(&d, c, cases[i].domain, room), cases[i].need, "%zu", i);
		cr_expect_str_eq(d.name, cases[i].name, "%zu: %s", i, d.name);
		cr_expect_eq(d.status.code, cases[i].code, "%zu: %u", i, d.status.code);
		cr_expect_eq(d.to.port, cases[i].port, "%zu: %u", i, d.to.port);
		cr_expect_eq(d.to.allow_private, cases[i].may_be_private, "%zu", i);
		if (i == 11)
			cr_expect(str_eq(d.to.next_hop, STR("xn--bcher-kva.test")));
	}
	conf_drop(&c);
}

/* The hosts take the place of the domain; the rest of the text is part of the name. */
Test(relay_destination, the_name_has_what_connections_depend_on)
{
	struct resolver_mx mx[2] = {{10, "mx2.test"}, {20, "mx1.test"}};
	struct resolver_answer a = {RESOLVER_FOUND, .ttl_s = 60, .mx = mx, .count = 2};
	static const char text[] = "mx:b.test;port=26;tls=verify;private=yes";
	struct resolved_destination d;
	char room[sizeof text];

	cr_assert_eq(resolved_begin(&d, STR(text), room), RESOLVED_NEEDS_MX);
	resolved_take_mx(&d, STR("gw.example.com"), &a);
	cr_expect_str_eq(d.name, "mx:mx1.test,mx2.test;port=26;tls=verify;private=yes");
}

Test(relay_destination, a_text_that_is_none_is_a_temporary_failure)
{
	struct resolved_destination d;
	char room[10];

	cr_assert_eq(resolved_begin(&d, STR("b.test"), room), RESOLVED_COMPLETE);
	cr_expect_str_eq(d.name, "");
	cr_expect_eq(d.status.code, 451);
	cr_expect_eq(d.count, 0);
}

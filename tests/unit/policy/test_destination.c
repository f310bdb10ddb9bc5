/* destination: the first route that matches decides, "*." matches the names below a domain, ports
 * follow the kind of route; and each destination has one text. */
#include "policy/destination.h"

#include <stdio.h>

#include "support.h"

enum { TEXT_MAX = 4096 };

static const char routes[] =
    "routes: ( { to_domain = \"exact.example\"; via = \"smtp\"; host = \"a\"; },"
    "  { to_domain = \"*.star.example\"; via = \"lmtp\"; host = \"b\"; },"
    "  { to_domain = \"*.exact.example\"; via = \"smarthost\"; host = \"c\"; tls = \"implicit\"; } "
    ");";

static unsigned
decide(const struct conf *c, struct str domain, char text_out[TEXT_MAX])
{
	struct destination d;
	char room[IDN_BYTES];
	struct buf text;
	unsigned number = destination_decide(c, domain, room, &d);

	buf_init(&text, TEXT_MAX - 1);
	destination_format(&d, &text);
	cr_assert(buf_ok(&text));
	memcpy(text_out, text.p, text.n);
	text_out[text.n] = '\0';
	buf_clear(&text);
	return number;
}

Test(destination, the_first_match_decides)
{
	static const struct {
		const char *domain;
		unsigned number;
		const char *text;
	} cases[] = {
	    {"exact.example", 1, "smtp:a"},
	    {"EXACT.example", 1, "smtp:a"},
	    {"sub.exact.example", 3, "smarthost:c;tls=implicit"},
	    {"a.b.exact.example", 3, "smarthost:c;tls=implicit"},
	    {"notexact.example", 0, "mx:notexact.example"},
	    {"star.example", 0, "mx:star.example"},
	    {"x.star.example", 2, "lmtp:b"},
	    {".star.example", 0, "mx:.star.example"},
	    {"xstar.example", 0, "mx:xstar.example"},
	    {"", 0, "mx:"},
	    {"example", 0, "mx:example"},
	    {"exact.example.net", 0, "mx:exact.example.net"},
	};
	struct conf *c = conf_of(routes);
	char text[TEXT_MAX];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_expect_eq(
		    decide(c, str_of(cases[i].domain), text), cases[i].number, "%zu", i);
		cr_expect_str_eq(text, cases[i].text);
	}
	conf_drop(&c);
}

Test(destination, without_a_match_by_mx)
{
	struct conf *c = conf_of("routes: ( );");
	struct destination d;
	char room[IDN_BYTES];

	cr_assert_eq(destination_decide(c, STR("any.example"), room, &d), 0);
	cr_assert_eq(d.transport, VIA_MX);
	cr_assert_eq(d.tls, ROUTE_TLS_OPPORTUNISTIC);
	cr_assert_not(d.allow_private);
	cr_assert_eq(d.port, 25);
	conf_drop(&c);
}

Test(destination, default_is_one_route_by_mx)
{
	struct conf *c = conf_of("");
	char text[TEXT_MAX];

	cr_assert_eq(decide(c, STR("any.example"), text), 1);
	cr_assert_str_eq(text, "mx:any.example");
	conf_drop(&c);
}

/* A-labels and U-labels of one domain are one destination; a literal is no name; and what is no
 * domain name meets no route. */
Test(destination, names_and_literals)
{
	static const struct {
		struct str domain;
		unsigned number;
		const char *text;
	} cases[] = {
	    {STR("b\xc3\xbc"
	         "cher.example"),
	        1, "mx:xn--bcher-kva.example;private=yes"},
	    {STR("XN--bcher-kva.example"), 1, "mx:xn--bcher-kva.example;private=yes"},
	    {STR("[192.0.2.1]"), 2, "smtp:h"},
	    {STR("\xff.example"), 0, "mx:%FF.example"},
	    {STR("other.example"), 2, "smtp:h"},
	};
	struct conf *c = conf_of("routes: ( { to_domain = \"xn--bcher-kva.example\"; via = \"mx\";"
	                         " allow_private = true; }, { via = \"smtp\"; host = \"H\"; } );");
	char text[TEXT_MAX], name[300];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_expect_eq(decide(c, cases[i].domain, text), cases[i].number, "%zu", i);
		cr_expect_str_eq(text, cases[i].text);
	}
	memset(name, 'a', sizeof name);
	cr_expect_eq(decide(c, str_make(name, sizeof name), text), 0, "too long for a name");
	conf_drop(&c);
	c = conf_of("");
	cr_expect_eq(decide(c, STR("[IPv6:2001:DB8::1]"), text), 1);
	cr_expect_str_eq(text, "mx:[IPv6:2001:DB8::1]");
	conf_drop(&c);
}

Test(destination, port_follows_transport_and_tls)
{
	static const struct {
		struct conf_route route;
		uint16_t port;
		const char *text;
	} cases[] = {
	    {{.via = VIA_MX}, 25, "mx:"},
	    {{.via = VIA_MX, .port = 2525}, 2525, "mx:;port=2525"},
	    {{.via = VIA_SMTP, .tls = ROUTE_TLS_VERIFY}, 25, "smtp:;tls=verify"},
	    {{.via = VIA_SMARTHOST, .tls = ROUTE_TLS_IMPLICIT}, 465, "smarthost:;tls=implicit"},
	    {{.via = VIA_SMARTHOST, .tls = ROUTE_TLS_STARTTLS}, 587, "smarthost:;tls=starttls"},
	    {{.via = VIA_LMTP}, 24, "lmtp:"},
	    {{.via = VIA_LMTP, .tls = ROUTE_TLS_STARTTLS}, 24, "lmtp:;tls=starttls"},
	    {{.via = VIA_SMARTHOST, .tls = ROUTE_TLS_IMPLICIT, .port = 65535}, 65535,
	        "smarthost:;port=65535;tls=implicit"},
	    {{.via = VIA_SMTP, .port = 25}, 25, "smtp:"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct destination d;
		struct buf text;

		destination_of_route(&cases[i].route, &d);
		cr_expect_eq(d.port, cases[i].port, "case %zu", i);
		buf_init(&text, TEXT_MAX);
		destination_format(&d, &text);
		cr_expect(str_eq(buf_str(&text), str_of(cases[i].text)), "case %zu", i);
		buf_clear(&text);
	}
}

/* The words of the manual, as they are read from the configuration and as they are logged. */
Test(destination, each_word_has_its_meaning)
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
			struct destination d;
			struct conf *c;

			snprintf(text, sizeof text, "routes: ( { via = \"%s\"; tls = \"%s\"; } );",
			    vias[via], words[tls]);
			c = conf_of(text);
			destination_of_route(&c->routes.item[0], &d);
			cr_expect_eq(d.transport, (enum conf_via)via, "%s", text);
			cr_expect_eq(d.tls, (enum conf_route_tls)tls, "%s", text);
			cr_expect_str_eq(destination_transport_name(&d), vias[via]);
			cr_expect_str_eq(destination_tls_name(&d), words[tls]);
			conf_drop(&c);
		}
}

/* ---- the text ---- */

Test(destination, what_is_parsed_is_what_was_written)
{
	static const char text[] = "smarthost:smtp.example.net;port=2525;tls=verify;"
	                           "ca=/etc/a%20b%3B%25.pem;login=me@example.com=";
	struct destination d;
	char room[sizeof text];

	cr_assert(destination_parse(STR(text), room, &d));
	cr_expect_eq(d.transport, VIA_SMARTHOST);
	cr_expect(str_eq(d.next_hop, STR("smtp.example.net")));
	cr_expect_eq(d.port, 2525);
	cr_expect_eq(d.tls, ROUTE_TLS_VERIFY);
	cr_expect(str_eq(d.ca_file, STR("/etc/a b;%.pem")));
	cr_expect(str_eq(d.login, STR("me@example.com=")));
	cr_expect(d.allow_private, "the operator named the host");
}

Test(destination, only_the_canonical_text_is_parsed)
{
	static const char *const refused[] = {
	    "",
	    "mx",
	    ":a",
	    "MX:a",
	    "uucp:a",
	    "mx:a;",
	    "mx:a;port",
	    "mx:a;port=",
	    "mx:a;port=0",
	    "mx:a;port=25",
	    "mx:a;port=026",
	    "mx:a;port=65536",
	    "mx:a;port=26;port=26",
	    "mx:a;tls=",
	    "mx:a;tls=opportunistic",
	    "mx:a;tls=verify;port=26",
	    "mx:a;pool=x",
	    "mx:a;private=no",
	    "mx:a;private=yes;private=yes",
	    "smtp:a;private=yes",
	    "smtp:a;login=",
	    "smtp:a;ca=",
	    "smtp:a b",
	    "smtp:%41",
	    "smtp:%3b",
	    "smtp:%3",
	    "smtp:%",
	    "smtp:%zz",
	    "smtp:\xc3\xbc",
	    "lmtp:a;port=24",
	};
	static const char *const accepted[] = {"mx:", "mx:a;port=26;tls=verify;private=yes",
	    "smtp:%00%7F%25", "lmtp:::1;port=25", "smarthost:a;port=25;tls=implicit;login=%3B"};
	struct destination d;
	char room[100];

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		cr_expect_not(destination_parse(str_of(refused[i]), room, &d), "%s", refused[i]);
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
		cr_expect(destination_parse(str_of(accepted[i]), room, &d), "%s", accepted[i]);
}

/* ---- credentials ---- */

Test(destination, credentials_are_found_by_what_refers_to_them)
{
	struct conf *c = conf_of(
	    "routes: ( { to_domain = \"a.example\"; via = \"smarthost\"; host = \"h\";"
	    " tls = \"verify\"; username = \"u\"; password = \"one\"; },"
	    " { to_domain = \"b.example\"; via = \"smarthost\"; host = \"h\"; tls = \"starttls\";"
	    " username = \"u\"; password = \"two\"; }, { via = \"mx\"; } );");
	struct destination d;
	char room[IDN_BYTES];
	struct str password;

	destination_decide(c, STR("a.example"), room, &d);
	cr_expect(destination_find_credentials(c, &d, &password));
	cr_expect(str_eq(password, STR("one")));
	destination_decide(c, STR("b.example"), room, &d);
	cr_expect(destination_find_credentials(c, &d, &password));
	cr_expect(str_eq(password, STR("two")));
	d.port = 26;
	cr_expect_not(destination_find_credentials(c, &d, &password), "for another port");
	cr_expect_eq(password.n, 0);
	destination_decide(c, STR("c.example"), room, &d);
	cr_expect(destination_find_credentials(c, &d, &password), "it needs none");
	cr_expect_eq(password.n, 0);
	conf_drop(&c);
}

/* sender_rules: a login's own addresses, those that it was granted, and no others. */
#include "policy/sender_rules.h"

#include <stdio.h>

#include "conf/list_index.h"

#include "support.h"

static const char policy[] =
    "domains: ( { name = \"example.com\"; }, { name = \"example.org\"; } );"
    "sender_policy: { send_as: ("
    "  { user = \"help@example.com\"; addresses = ( \"support@example.com\", \"*@tickets.example\" "
    "); },"
    "  { user = \"help@example.com\"; addresses = [ \"second@example.com\" ]; },"
    "  { user = \"gone@elsewhere.example\"; addresses = ( \"sales@example.com\" ); },"
    "  { user = \"bob\"; addresses = ( \"\\\"odd name\\\"@example.com\" ); } ); };";

struct may_case {
	const char *user, *address;
	bool may;
};

static const struct may_case cases[] = {
	/* its own address */
	{"alice@example.com", "alice@example.com", true},
	{"alice@example.com", "Alice@EXAMPLE.com", true},
	{"ALICE@example.com", "alice@example.com", true},
	{"alice@example.com", "\"alice\"@example.com", true},
	{"alice@example.com", "alice@example.org", false},
	{"alice@example.com", "bob@example.com", false},
	/* its subaddresses */
	{"alice@example.com", "alice+x@example.com", true},
	{"alice@example.com", "ALICE+X@EXAMPLE.com", true},
	{"alice@example.com", "alice+x+y@example.com", true},
	{"alice@example.com", "alice+x.y-z@example.com", true},
	{"alice@example.com", "alice+@example.com", true},
	{"alice@example.com", "alice-x@example.com", false},
	{"alice@example.com", "alice+x@example.org", false},
	{"alice@example.com", "bob+alice@example.com", false},
	{"alice@example.com", "+alice@example.com", false},
	{"alice@example.com", "+@example.com", false},
	{"alice@example.com", "x+alice+y@example.com", false},
	{"alice@example.com", "\"alice+x\"@example.com", false},
	{"alice@example.com", "\"alice\\\"+x\"@example.com", false},
	{"alice+x@example.com", "alice+x@example.com", true},
	{"alice+x@example.com", "alice+x+y@example.com", true},
	{"alice+x@example.com", "alice@example.com", false},
	{"alice+x@example.com", "alice+y@example.com", false},
	{"bob", "bob+x@example.com", true},
	{"bob", "bob+x@example.net", false},
	{"help@example.com", "support+4711@example.com", true},
	{"help@example.com", "support+4711@example.org", false},
	{"help@example.com", "+x@example.com", false},
	{"help@example.com", "+x@tickets.example", true},
	{"alice@example.com", "support+alice@example.com", false},
	{"alice@example.com", "alice@sub.example.com", false},
	{"alice@example.com", "alice@example.com.evil.example", false},
	{"alice@example.com", "xalice@example.com", false},
	{"alice@elsewhere.example", "alice@elsewhere.example", false},
	{"gone@elsewhere.example", "sales@example.com", false},
	/* a login without a domain has an address in each configured domain */
	{"bob", "bob@example.com", true},
	{"bob", "bob@example.org", true},
	{"bob", "bob@example.net", false},
	{"bob", "\"odd name\"@example.com", true},
	{"bob", "\"odd name\"@example.org", false},
	/* granted addresses */
	{"help@example.com", "support@example.com", true},
	{"help@example.com", "Support@Example.COM", true},
	{"HELP@example.com", "second@example.com", true},
	{"help@example.com", "anything@tickets.example", true},
	{"help@example.com", "anything@TICKETS.example", true},
	{"help@example.com", "anything@sub.tickets.example", false},
	{"help@example.com", "support@example.org", false},
	{"help", "support@example.com", false},
	{"alice@example.com", "support@example.com", false},
	{"alice@example.com", "x@tickets.example", false},
	/* not a login */
	{"", "alice@example.com", false},
	{"*@example.com", "alice@example.com", false},
	{"not an address@", "alice@example.com", false},
};

Test(sender_rules, may_send)
{
	struct conf *c = conf_of(policy);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mail_address a;

		cr_assert(
		    mail_address_parse(str_of(cases[i].address), &a, NULL), "%s", cases[i].address);
		cr_expect_eq(sender_rules_may_send(c, str_of(cases[i].user), &a), cases[i].may,
		    "%s as %s", cases[i].user, cases[i].address);
	}
	conf_drop(&c);
}

Test(sender_rules, subaddresses_can_be_switched_off)
{
	struct conf *c = conf_of("domains: ( { name = \"example.com\"; } );"
	                         "sender_policy: { subaddresses = false; send_as: ("
	                         "  { user = \"help@example.com\"; addresses = ( "
	                         "\"support@example.com\", \"a+b@example.com\" ); } ); };");
	static const struct may_case exact[] = {
		{"alice@example.com", "alice@example.com", true},
		{"alice@example.com", "alice+x@example.com", false},
		{"alice+x@example.com", "alice+x@example.com", true},
		{"help@example.com", "support+x@example.com", false},
		{"help@example.com", "a+b@example.com", true},
		{"help@example.com", "a+b+c@example.com", false},
	};

	for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
		struct mail_address a;

		cr_assert(
		    mail_address_parse(str_of(exact[i].address), &a, NULL), "%s", exact[i].address);
		cr_expect_eq(sender_rules_may_send(c, str_of(exact[i].user), &a), exact[i].may,
		    "%s as %s", exact[i].user, exact[i].address);
	}
	conf_drop(&c);
}

/* With one domain, or with a default domain, a user without a domain in the configuration stands
 * for the login of exactly this name, and for the login with that domain added.  A complete name
 * stands for one login. */
Test(sender_rules, names_of_the_configuration_without_a_domain)
{
	static const char *const texts[] = {
	    "domains: ( { name = \"example.com\"; } );",
	    "domains: ( { name = \"example.net\"; }, { name = \"example.com\"; } );"
	    "auth: { default_domain = \"Example.com\"; };"};
	char text[1024];

	for (size_t i = 0; i < 2; i++) {
		struct mail_address sales;
		struct conf *c;

		snprintf(text, sizeof text,
		    "%s limits: { users: ( { user = \"Bob\"; per_user = \"7 recipients / 1h\"; },"
		    "  { user = \"carol@example.com\"; per_user = \"8 recipients / 1h\"; } ); };"
		    "sender_policy: { send_as: ("
		    "  { user = \"bob\"; addresses = ( \"sales@example.com\" ); },"
		    "  { user = \"carol@example.com\"; addresses = ( \"sales@example.com\" ); } ); "
		    "};",
		    texts[i]);
		c = conf_of(text);
		cr_assert(mail_address_parse(STR("sales@example.com"), &sales, NULL));
		cr_expect(sender_rules_may_send(c, STR("bob@example.com"), &sales));
		cr_expect(sender_rules_may_send(c, STR("bob"), &sales));
		cr_expect_not(sender_rules_may_send(c, STR("bob@example.net"), &sales));
		cr_expect(sender_rules_may_send(c, STR("carol@example.com"), &sales));
		cr_expect_not(sender_rules_may_send(c, STR("carol"), &sales));
		cr_expect_eq(list_index_find(&c->limits_by_user, STR("bob@example.com")), 0);
		cr_expect_eq(list_index_find(&c->limits_by_user, STR("bob")), 0);
		cr_expect_eq(list_index_find(&c->limits_by_user, STR("bob@example.net")),
		    LIST_INDEX_NONE);
		cr_expect_eq(list_index_find(&c->limits_by_user, STR("carol@example.com")), 1);
		cr_expect_eq(
		    list_index_find(&c->limits_by_user, STR("carol")), LIST_INDEX_NONE);
		conf_drop(&c);
	}
}

Test(sender_rules, no_login_may_send_without_a_domain)
{
	struct conf *c = conf_of(policy);
	struct mail_address a = {0};

	cr_expect_not(sender_rules_may_send(c, STR("alice@example.com"), &a));
	a.text = a.local = STR("postmaster");
	cr_expect_not(sender_rules_may_send(c, STR("postmaster"), &a));
	conf_drop(&c);
}

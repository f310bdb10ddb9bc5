/* many: what holds for two entries holds for ten thousand as well, and needs only a few
 * comparisons. */
#include <stdio.h>

#include "base/buf.h"
#include "conf/list_index.h"
#include "policy/destination.h"
#include "policy/limits.h"
#include "policy/sender_rules.h"
#include "support.h"

enum { MANY = 10000 };

static struct conf *
conf_of_many(void)
{
	struct conf *c;
	struct buf b;

	buf_init(&b, 64 << 20);
	buf_adds(&b, STR("domains: ("));
	for (int i = 0; i < MANY; i++)
		buf_addf(&b, "%s { name = \"D%d.example\"; }", i ? "," : "", i);
	buf_adds(&b, STR(", { name = \"d.example\"; }"));
	buf_adds(&b, STR(" ); sender_policy: { send_as: ("));
	for (int i = 0; i < MANY; i++)
		buf_addf(&b,
		    "%s { user = \"u%d@d.example\"; addresses = ( \"shared%d@d.example\" ); }",
		    i ? "," : "", i, i);
	buf_adds(&b, STR(" ); }; limits: { users: ("));
	for (int i = 0; i < MANY; i++)
		buf_addf(&b, "%s { user = \"u%d@d.example\"; per_user = \"%d recipients / 1h\"; }",
		    i ? "," : "", i, i + 1);
	buf_adds(&b, STR(" ); }; routes: ("));
	for (int i = 0; i < MANY; i++)
		buf_addf(&b, "%s { to_domain = \"%sr%d.example\"; via = \"smtp\"; host = \"h\"; }",
		    i ? "," : "", i % 2 ? "*." : "", i);
	buf_adds(&b, STR(" );"));
	buf_add(&b, "", 1);
	cr_assert(buf_ok(&b));
	c = conf_of(b.p);
	buf_clear(&b);
	return c;
}

static unsigned
route_number(const struct conf *c, const char *domain)
{
	struct destination d;
	char room[IDN_BYTES];

	return destination_decide(c, str_of(domain), room, &d);
}

static bool
may(const struct conf *c, const char *user, const char *text)
{
	struct mail_address a;

	cr_assert(mail_address_parse(str_of(text), &a, NULL), "%s", text);
	return sender_rules_may_send(c, str_of(user), &a);
}

Test(many, each_entry_is_found_and_only_that_one)
{
	struct conf *c = conf_of_many();
	char user[64], address[64], domain[64];

	for (int i = 0; i < MANY; i += 37) {
		snprintf(user, sizeof user, "U%d@d.example", i);
		snprintf(address, sizeof address, "Shared%d@D.example", i);
		cr_expect(may(c, user, address), "%s %s", user, address);
		snprintf(address, sizeof address, "shared%d@d.example", i + 1);
		cr_expect_not(may(c, user, address), "%s %s", user, address);
		cr_expect_eq(limits_of_user(c, str_of(user))->rate[0].count, (uint64_t)i + 1);
		snprintf(address, sizeof address, "bob@d%d.example", i);
		cr_expect(may(c, "bob", address), "%s", address);
		snprintf(domain, sizeof domain, "%sr%d.example", i % 2 ? "x." : "", i);
		cr_expect_eq(route_number(c, domain), (unsigned)i + 1);
		snprintf(domain, sizeof domain, "%sr%d.example", i % 2 ? "" : "x.", i);
		cr_expect_eq(route_number(c, domain), 0);
	}
	cr_expect_not(may(c, "bob", "bob@d10000.example"));
	cr_expect_eq(limits_of_user(c, STR("nobody@d.example")), &c->limits.per_user);
	conf_drop(&c);
}

Test(many, quoted_local_parts_are_one_address)
{
	struct conf *c =
	    conf_of("domains: ( { name = \"x.example\"; } ); sender_policy: { send_as: ("
	            " { user = \"a@x.example\"; addresses = ( \"\\\"odd name\\\"@x.example\" ); },"
	            " { user = \"b@x.example\"; addresses = ( \"plain@x.example\" ); },"
	            " { user = \"c@x.example\"; addresses = ( \"\\\"*\\\"@x.example\" ); } ); };");

	cr_expect(may(c, "a@x.example", "\"odd name\"@x.example"));
	cr_expect(may(c, "a@x.example", "\"o\\dd\\ name\"@X.example"));
	cr_expect(may(c, "b@x.example", "\"plain\"@x.example"));
	cr_expect(may(c, "c@x.example", "\"*\"@x.example"));
	cr_expect_not(may(c, "c@x.example", "other@x.example"), "a quoted star is no pattern");
	cr_expect_not(may(c, "b@x.example", "\"\"@x.example"));
	conf_drop(&c);
}

Test(many, of_equal_keys_the_first_of_the_list_is_found)
{
	struct conf *c = conf_of("limits: { users: ("
	    " { user = \"A@x.example\"; per_user = \"1 recipients / 1h\"; },"
	    " { user = \"a@x.example\"; per_user = \"2 recipients / 1h\"; } ); };"
	    "routes: ( { to_domain = \"*.x.example\"; via = \"smtp\"; host = \"h\"; },"
	    " { to_domain = \"a.x.example\"; via = \"smtp\"; host = \"h\"; }, { via = \"mx\"; },"
	    " { to_domain = \"x.example\"; via = \"smtp\"; host = \"h\"; } );");

	cr_expect_eq(limits_of_user(c, STR("a@x.example"))->rate[0].count, 1);
	cr_expect_eq(route_number(c, "a.x.example"), 1);
	cr_expect_eq(route_number(c, "x.example"), 3);
	conf_drop(&c);
}

Test(many, keys_that_are_too_long_are_not_found)
{
	struct conf *c = conf_of_many();
	static char key[LIST_INDEX_KEY_MAX + 1];
	char room[LIST_INDEX_KEY_MAX];
	struct str out;

	memset(key, 'k', sizeof key);
	cr_expect_eq(list_index_find(&c->domains_by_name, str_make(key, sizeof key)),
	    LIST_INDEX_NONE);
	cr_expect_not(list_index_grant_key(str_make(key, 1000), STR("local"),
	    STR("a.domain.that.is.long.example"), room, &out));
	conf_drop(&c);
}

/* Addresses: accepted addresses are returned as written, all others are refused with a reason. */
#include <criterion/criterion.h>

#include "mail/mail_address.h"

#define D63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L64 D63 "b"

static const char *accepted[] = {
	"a@b", "alice@example.com", "a.b+c@x-y.example", "x%y@z", "y!x@z", "1@2.3", "postmaster@a",
	"\"a b\"@c", "\"a@b\"@c", "\"a>b\"@c", "\"a\\\"b\"@c", "\"a\\\\b\"@c", "\"\"@c",
	"\"a> ORCPT=rfc822;x\"@c", "\"..\"@c", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]",
	"a@[ipv6:::ffff:192.0.2.1]", "!#$%&'*+-/=?^_`{|}~@b", "${run{id}}@b", "|cmd@b", "-oQ/x@b",
	    "%n@b",
	"`id`@b", L64 "@b", "a@" D63 ".b", "a@" D63 "." D63 "." D63 "." D63,
	"j\xc3\xbcrgen@example.com", ("a@b\xc3\xbc" "cher.example"), "\"\xc3\xbc b\"@c",
	    "a@xn--bcher-kva.example",
};

static const struct {
	const char *text;
	size_t n; /* its length, when it holds NUL */
} refused[] = {
	{"", 0}, {"a", 0}, {"a@", 0}, {"@b", 0}, {"@", 0}, {"a@b..c", 0}, {"a@.b", 0}, {"a@b.", 0},
	{".a@b", 0},
	{"a.@b", 0}, {"a..b@c", 0}, {"a b@c", 0}, {"a@b c", 0}, {"a@b@c", 0}, {"a@-b", 0},
	{"a@b-", 0},
	{"a@b-.c", 0}, {"a@b_c", 0}, {"a@[999.1.1.1]", 0}, {"a@[x]", 0}, {"a@[]", 0},
	{"a@[1.2.3]", 0},
	{"a@[1.2.3.4", 0}, {"a@1.2.3.4]", 0}, {"a@[01.2.3.4]", 0}, {"a@[2001:db8::1]", 0},
	{"a@[IPv6:]", 0}, {"a@[IPv6:1.2.3.4]", 0}, {"a@[IPv6:::g]", 0}, {"a@[IPv6:fe80::1%lo]", 0},
	{"a@[1.2.3.4\0]", 13}, {"a@[ 1.2.3.4]", 0}, {"a@[tag:x]", 0},
	{"a\x01@b", 0}, {"a\x07@b", 0}, {"a\x1b@b", 0}, {"a\x7f@b", 0}, {"a\t@b", 0}, {"a\0@b", 4},
	{"a@b\0", 4},
	{"a\r\n@b", 0}, {"a@b\r\n", 0}, {"a@b\x01", 0}, {"a@b\x7f", 0}, {"a@b\t", 0},
	{"\"a\x01\"@b", 0}, {"\"a\x7f\"@b", 0}, {"\"a\t\"@b", 0}, {"\"a\0\"@b", 6},
	{"\"a\r\n b\"@c", 0},
	{"\"a\\\r\n\"@b", 0}, {"\"a\\\x01\"@b", 0}, {"\"a@b", 0}, {"\"a\"b@c", 0}, {"a\"b\"@c", 0},
	{"\"a\\\"@b", 0}, {"\"a\"", 0}, {"\"a\"@", 0}, {"\"", 0}, {"<a@b>", 0}, {"a@b>", 0},
	{"a<@b", 0},
	{"a(c)@b", 0}, {"a,b@c", 0}, {"a:b@c", 0}, {"a;b@c", 0}, {"a\\b@c", 0}, {"a@b(c)", 0},
	{"\xff\xfe@b", 0}, {"\xc0\xaf@b", 0}, {"\xed\xa0\x80@b", 0}, {"\xf8\x88\x80\x80\x80@b", 0},
	{"\xc3@b", 0}, {"a@\xc3", 0}, {"\"\xc3\"@b", 0}, {"a\xc2\x85@b", 0}, {"a@b\xc2\x9b", 0},
	{"\"\\\xc3\xbc\"@b", 0}, {";cmd;@b", 0}, {"postmaster", 0},
	{L64 "c@b", 0}, {"a@" D63 "a.b", 0}, {"a@" D63 "." D63 "." D63 "." D63 ".b", 0},
};

Test(address, accepted)
{
	for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
		struct str text = str_of(accepted[i]);
		struct mail_address a;
		const char *why = "";

		cr_expect(mail_address_parse(text, &a, &why), "%s: %s", accepted[i], why);
		cr_expect(str_eq(a.text, text));
		cr_expect_eq(a.local.n + 1 + a.domain.n, text.n, "%s", accepted[i]);
		cr_expect_eq(a.is_utf8, !str_is_ascii(text));
		cr_expect_eq(a.is_literal, a.domain.p[0] == '[');
	}
}

Test(address, refused)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct str text = str_make(
		    refused[i].text, refused[i].n ? refused[i].n : strlen(refused[i].text));
		struct mail_address a;
		const char *why = NULL;

		cr_expect_not(mail_address_parse(text, &a, &why), "%zu: %s", i, refused[i].text);
		cr_expect_not_null(why);
		cr_expect_not(mail_address_parse(text, &a, NULL));
	}
}

Test(address, quoted_local_part_ends_at_its_quote)
{
	struct mail_address a;

	cr_assert(mail_address_parse(STR("\"a@b\"@c.example"), &a, NULL));
	cr_expect(str_eq(a.local, STR("\"a@b\"")));
	cr_expect(str_eq(a.domain, STR("c.example")));
}

Test(address, paths)
{
	static const struct {
		const char *in, *text, *rest; /* text NULL: refused */
	} cases[] = {
		{"<>", "", ""}, {"<a@b>", "a@b", ""}, {"<a@b> SIZE=1", "a@b", " SIZE=1"},
		{"<a@b>>", "a@b", ">"},
		{"<@x,@y:a@b>", "a@b", ""}, {"<@x:a@b>", "a@b", ""},
		{"<@x.example:\"a>\"@b>z", "\"a>\"@b", "z"},
		{"<postmaster>", "postmaster", ""}, {"<PostMaster>", "PostMaster", ""},
		{"<\"a> ORCPT=..\"@b> X", "\"a> ORCPT=..\"@b", " X"},
		{"<\"a\\\">\"@b>", "\"a\\\">\"@b", ""},
		{"", NULL, NULL}, {"a@b", NULL, NULL}, {"<a@b", NULL, NULL}, {"<", NULL, NULL},
		{"< >", NULL, NULL},
		{" <a@b>", NULL, NULL}, {"<a>", NULL, NULL}, {"<a@>", NULL, NULL},
		{"<<a@b>>", NULL, NULL},
		{"<a@b >", NULL, NULL}, {"< a@b>", NULL, NULL}, {"<\"a@b>", NULL, NULL},
		{"<@x a@b>", NULL, NULL},
		{"<@x,y:a@b>", NULL, NULL}, {"<@:a@b>", NULL, NULL}, {"<@x,:a@b>", NULL, NULL},
		{"<@x@y:a@b>", NULL, NULL}, {"<@x:>", NULL, NULL}, {"<@x:postmaster>", NULL, NULL},
		{"<:a@b>", NULL, NULL}, {"<@[1.2.3.4]:a@b>", NULL, NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str rest = str_of(cases[i].in);
		struct mail_address a;
		bool ok = mail_address_path(&rest, &a, NULL);

		cr_expect_eq(ok, cases[i].text != NULL, "%s", cases[i].in);
		if (!ok) {
			cr_expect(str_eq(rest, str_of(cases[i].in)));
			continue;
		}
		cr_expect(str_eq(a.text, str_of(cases[i].text)), "%s", cases[i].in);
		cr_expect(str_eq(rest, str_of(cases[i].rest)), "%s", cases[i].in);
	}
}

Test(address, same_mailbox)
{
	static const struct {
		const char *a, *b;
		bool same_mailbox;
	} cases[] = {
		{"Alice@Example.COM", "alice@example.com", true},
		{"\"alice\"@example.com", "alice@example.com", true},
		{"\"al\\ice\"@example.com", "alice@example.com", true},
		{"\"A b\"@c", "\"a\\ b\"@C", true},
		{"\"a\\\"b\"@c", "\"a\\\"b\"@c", true},
		{"\"a\\\\\"@c", "\"a\\\\\"@c", true},
		{"\"\"@c", "\"\"@c", true},
		{"\"a.\"@c", "a@c", false},
		{"a@c", "aa@c", false},
		{"aa@c", "a@c", false},
		{"a@c", "a@d", false},
		{"a+x@c", "a@c", false},
		{"j\xc3\xbcrgen@c", "j\xc3\x9crgen@c", false},
		{"a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]", true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail_address a, b;

		cr_assert(mail_address_parse(str_of(cases[i].a), &a, NULL));
		cr_assert(mail_address_parse(str_of(cases[i].b), &b, NULL));
		cr_expect_eq(mail_address_same(&a, &b), cases[i].same_mailbox, "%s %s", cases[i].a,
		    cases[i].b);
		cr_expect_eq(mail_address_same(&b, &a), cases[i].same_mailbox);
	}
}

Test(address, postmaster_without_domain)
{
	struct str rest = STR("<Postmaster>");
	struct mail_address a;

	cr_assert(mail_address_path(&rest, &a, NULL));
	cr_expect_eq(a.domain.n, 0);
	cr_expect(str_eq(a.local, STR("Postmaster")));
}

Test(address, domains_and_literals)
{
	cr_expect(mail_address_is_domain(STR("localhost")));
	cr_expect(mail_address_is_domain(STR("b\xc3\xbc" "cher.example")));
	cr_expect_not(mail_address_is_domain(STR("")));
	cr_expect_not(mail_address_is_domain(STR("a.")));
	cr_expect_not(mail_address_is_domain(STR("[1.2.3.4]")));
	cr_expect(mail_address_is_literal(STR("[1.2.3.4]")));
	cr_expect(mail_address_is_literal(STR("[IPv6:::1]")));
	cr_expect_not(mail_address_is_literal(STR("[")));
	cr_expect_not(mail_address_is_literal(STR("")));
	cr_expect_not(mail_address_is_literal(STR("1.2.3.4")));
}

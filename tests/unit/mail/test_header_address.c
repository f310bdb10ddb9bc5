/* Address lists: parsed as a recipient's program parses them, and refused where programs might
 * differ. */
#include <criterion/criterion.h>

#include "mail/header.h"

static struct arena arena;

static void
set_up(void)
{
	arena_init(&arena, 8 << 20);
}

static void
tear_down(void)
{
	arena_clear(&arena);
}

TestSuite(header_address, .init = set_up, .fini = tear_down);

/* expected: addresses, each with a blank after it; one that is not simple begins with '~'. */
static const struct {
	const char *body, *expected;
} lists[] = {
	{" alice@example.com", "alice@example.com "},
	{"Alice <alice@example.com>", "alice@example.com "},
	{" \"Smith, A. (x) <c@d>\" <a@b>", "a@b "},
	{"\"ceo@example.com\" <alice@example.com>", "alice@example.com "},
	{"J. R. Smith <j@b>, Q <q@b>", "j@b q@b "},
	{"a@b,c@d,\r\n e@f", "a@b c@d e@f "},
	{"a@b, ,, c@d,", "a@b c@d "},
	{"", ""},
	{"  \r\n ", ""},
	{"(nobody)", ""},
	{"bob", "bob "},
	{"bob, alice@b", "bob alice@b "},
	{"Bob <bob>", "bob "},
	{"<a@b>", "a@b "},
	{"< a@b >", "a@b "},
	{"<@x,@y:a@b>", "a@b "},
	{"<@x , , @y : a@b>", "a@b "},
	{"undisclosed-recipients:;", ""},
	{"Friends: a@b, C <c@d>;, e@f", "a@b c@d e@f "},
	{"A Group:(c) ; (d)", ""},
	{"a@b (comment (nested \\) ) comment)", "a@b "},
	{"(c) a@b", "a@b "},
	{"alice(c)@example.com", "~alice@example.com "},
	{"alice @ example . com", "~alice@example.com "},
	{"alice@example\r\n .com", "~alice@example.com "},
	{"<alice@(c)example.com>", "~alice@example.com "},
	{"\"a b\"@c", "\"a b\"@c "},
	{"\"a \\\" @ b\"@c", "\"a \\\" @ b\"@c "},
	{"\"a(b\" . c@d", "~\"a(b\".c@d "},
	{"\"a\" . (b\r\n c) c@d", "~\"a\".c@d "},
	{"\"a\"\r\n @ c", "~\"a\"@c "},
	{"a@[192.0.2.1]", "a@[192.0.2.1] "},
	{"=?utf-8?Q?J=C3=BCrgen?= <j@b>", "j@b "},
	{"=?utf-8?B?SsO8cmdlbg==?= =?utf-8?Q?x?= <j@b>", "j@b "},
	{"=?ISO-2022-JP?B?GyRCJDMbKEI=?= <j@b>", "j@b "},
	{"J\xc3\xbcrgen <j\xc3\xbc@b\xc3\xbc.de>", "j\xc3\xbc@b\xc3\xbc.de "},
	{"\"folded\r\n name\" <a@b>", "a@b "},
	{"=?utf-8?Q?ceo=40example.com?= <a@b>", "a@b "},
};

#define S(text) {text, sizeof(text) - 1}
static const struct str bad_lists[] = {
    S("alice@example.com <ceo@example.com>"),
    S("<a@b> <c@d>"),
    S("<a@b> c@d"),
    S("<<a@b>>"),
    S("a@b c@d"),
    S("a@b>"),
    S("<a@b"),
    S("<>"),
    S("a b"),
    S("John Smith"),
    S("\"a@b"),
    S("a@b (c"),
    S("(a@b"),
    S("a@b )"),
    S("a@b (c))"),
    S("a@"),
    S("@b"),
    S("a@b@c"),
    S("a@b;"),
    S("x:a@b"),
    S("x:y:a@b;;"),
    S("x: a@b; c@d"),
    S(":a@b;"),
    S("a..b@c"),
    S(".a@b"),
    S("a.@b"),
    S("a@b."),
    S("a@.b"),
    S("a@[1 2]"),
    S("a@[1"),
    S("a@\"b\""),
    S("a@[1(2)]"),
    S("a\0@b"),
    S("\"a\0\" <a@b>"),
    S("a@b (\0)"),
    S("a\r@b"),
    S("a@b\r\nc@d"),
    S("a@b\n"),
    S("a\x1b@b"),
    S("a\x7f@b"),
    S("\"a\\\r\n \" <a@b>"),
    S("\\a@b"),
    S("a\\@b"),
    S("=?utf-8?q?ceo?=@example.com"),
    S("\"=?utf-8?q?ceo?=\"@example.com"),
    S("=?utf-8?q?ceo=40example.com=3e?= x@b"),
    S("=?x?q?a?=.b@c"),
    S("=?utf-8?Q?x=0d=0aBcc:_v?= <a@b>"),
    S("<@x a@b>"),
    S("<@x,:>"),
    S("<@:a@b>"),
    S("\"a\r\n b\"@c"),
    S("[a@b]"),
    S(". <a@b>"),
    S(".x <a@b>"),
};

static void
describe(const struct header_address *list, size_t count, struct str body, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct header_address *a = &list[i];

		cr_assert_leq(a->at + a->n, body.n);
		cr_expect_eq(a->is_simple, str_eq(a->text, str_make(body.p + a->at, a->n)));
		buf_addz(out, a->is_simple ? "" : "~");
		buf_adds(out, a->text);
		buf_addc(out, ' ');
	}
}

Test(header_address, lists)
{
	struct header_address *list;
	struct buf out;
	size_t count;

	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		struct str body = str_of(lists[i].body);

		buf_reset(&out);
		cr_expect(header_addresses(body, &arena, &list, &count), "%s", lists[i].body);
		describe(list, count, body, &out);
		cr_expect(str_eq(buf_str(&out), str_of(lists[i].expected)), "%s -> %.*s",
		    lists[i].body, STR_ARG(buf_str(&out)));
	}
	buf_clear(&out);
}

Test(header_address, refused)
{
	struct header_address *list;
	size_t count;

	for (size_t i = 0; i < sizeof bad_lists / sizeof *bad_lists; i++) {
		cr_expect_not(header_addresses(bad_lists[i], &arena, &list, &count), "%zu: %s", i,
		    bad_lists[i].p);
	}
}

static void
repeat(struct buf *b, const char *piece, size_t times)
{
	while (times--)
		buf_addz(b, piece);
}

Test(header_address, bounds)
{
	struct header_address *list;
	struct buf b;
	size_t count;

	buf_init(&b, 4 << 20);
	repeat(&b, "(", 64);
	repeat(&b, ")", 64);
	buf_addz(&b, "a@b");
	cr_expect(header_addresses(buf_str(&b), &arena, &list, &count));
	buf_reset(&b);
	repeat(&b, "(", 65);
	repeat(&b, ")", 65);
	buf_addz(&b, "a@b");
	cr_expect_not(header_addresses(buf_str(&b), &arena, &list, &count));
	buf_reset(&b);
	repeat(&b, "(", 5000);
	cr_expect_not(header_addresses(buf_str(&b), &arena, &list, &count));
	buf_reset(&b);
	repeat(&b, "a,", HEADER_ADDRESSES_MAX);
	cr_expect(header_addresses(buf_str(&b), &arena, &list, &count));
	cr_expect_eq(count, HEADER_ADDRESSES_MAX);
	buf_addz(&b, "a");
	cr_expect_not(header_addresses(buf_str(&b), &arena, &list, &count));
	buf_clear(&b);
}

/* Envelopes: decoding returns what was encoded, also what another version stored. */
#include <criterion/criterion.h>

#include "mail/envelope.h"

static struct arena arena;
static struct buf out;

static void
set_up(void)
{
	arena_init(&arena, 4 << 20);
	buf_init(&out, 1 << 20);
}

static void
tear_down(void)
{
	arena_clear(&arena);
	buf_clear(&out);
}

TestSuite(envelope, .init = set_up, .fini = tear_down);

static struct envelope_recipient two[] = {
    {.address = {"bob@example.net", 15},
	.orcpt = {"rfc822;b+40c", 12},
	.notify = NOTIFY_FAILURE | NOTIFY_DELAY},
    {.address = {"\"a <\\\">\"@x", 10}, .notify = NOTIFY_NEVER},
};

static struct envelope
sample(void)
{
	return (struct envelope){
	    .id = {0x123456789abcdef, 7},
	    .kind = ENVELOPE_REPORT,
	    .arrival_ms = 1795280272104,
	    .user = STR("alice"),
	    .sender = STR("alice@example.com"),
	    .header_from = STR("a@example.com"),
	    .client = STR("203.0.113.7"),
	    .credential = STR("c1"),
	    .pool = STR("p"),
	    .body = BODY_8BITMIME,
	    .smtputf8 = true,
	    .requiretls = true,
	    .ret = RETURN_HEADERS,
	    .envid = STR("x+20y"),
	    .priority = 9,
	    .hold_until_ms = -1,
	    .deliver_by_ms = INT64_MAX,
	    .header_bytes = UINT32_MAX,
	    .body_bytes = UINT64_MAX,
	    .recipients = two,
	    .recipient_count = 2,
	};
}

static void
expect_same(const struct envelope *a, const struct envelope *b)
{
	cr_expect(msgid_eq(a->id, b->id));
	cr_expect(a->kind == b->kind && a->arrival_ms == b->arrival_ms && a->body == b->body);
	cr_expect(str_eq(a->user, b->user) && str_eq(a->sender, b->sender));
	cr_expect(str_eq(a->header_from, b->header_from) && str_eq(a->client, b->client));
	cr_expect(str_eq(a->credential, b->credential) && str_eq(a->pool, b->pool));
	cr_expect(a->smtputf8 == b->smtputf8 && a->requiretls == b->requiretls && a->ret == b->ret);
	cr_expect(str_eq(a->envid, b->envid) && a->priority == b->priority);
	cr_expect(a->hold_until_ms == b->hold_until_ms && a->deliver_by_ms == b->deliver_by_ms);
	cr_expect(a->header_bytes == b->header_bytes && a->body_bytes == b->body_bytes);
	cr_expect(str_eq(a->unknown, b->unknown));
	cr_assert_eq(a->recipient_count, b->recipient_count);
	for (uint32_t i = 0; i < a->recipient_count; i++) {
		cr_expect(str_eq(a->recipients[i].address, b->recipients[i].address));
		cr_expect(str_eq(a->recipients[i].orcpt, b->recipients[i].orcpt));
		cr_expect(a->recipients[i].notify == b->recipients[i].notify);
		cr_expect(str_eq(a->recipients[i].unknown, b->recipients[i].unknown));
	}
}

Test(envelope, round_trip)
{
	struct envelope a = sample(), b;

	cr_assert(envelope_encode(&a, &out));
	cr_assert(envelope_decode(buf_str(&out), &arena, &b));
	expect_same(&a, &b);
}

Test(envelope, empty_round_trip)
{
	struct envelope a = {.id = {0, 0}}, b;

	cr_assert(envelope_encode(&a, &out));
	cr_assert(envelope_decode(buf_str(&out), &arena, &b));
	expect_same(&a, &b);
}

/* A newer version knows tags 900 and 901, and 77 in recipients: decoding and encoding preserve
 * them. */
Test(envelope, fields_of_another_version_are_preserved)
{
	struct envelope a = sample(), b, c;
	struct buf again;

	two[1].unknown = STR("\x4d\x00\x02\x00hi\x4e\x00\x00\x00");
	cr_assert(buf_adds(&out, STR("\x84\x03\x03\x00new")));
	cr_assert(envelope_encode(&a, &out));
	cr_assert(buf_adds(&out, STR("\x85\x03\x00\x00")));
	cr_assert(envelope_decode(buf_str(&out), &arena, &b));
	cr_expect(str_eq(b.unknown, STR("\x84\x03\x03\x00new\x85\x03\x00\x00")));
	cr_expect(str_eq(b.recipients[1].unknown, two[1].unknown));
	buf_init(&again, 1 << 20);
	cr_assert(envelope_encode(&b, &again));
	cr_expect_eq(again.n, out.n);
	cr_assert(envelope_decode(buf_str(&again), &arena, &c));
	expect_same(&b, &c);
	buf_clear(&again);
	two[1].unknown = STR_NULL;
}

Test(envelope, many_scattered_unknown_fields_take_bounded_memory)
{
	static const struct str pieces[] = {{"\x02\x00\x07\x00\x01\x00\x03\x00"
	                                     "a@b",
	                                        11},
	    {"\xff\xff\x00\x00", 4}};
	struct envelope e;

	cr_assert(envelope_encode(&(struct envelope){.id = {1, 1}}, &out));
	for (unsigned i = 0; i < 2 * ENVELOPE_RECIPIENTS_MAX; i++)
		cr_assert(buf_adds(&out, pieces[i % 2]));
	while (out.n + 4 <= ENVELOPE_BYTES_MAX)
		cr_assert(buf_adds(&out, pieces[1]));
	cr_expect(envelope_decode(buf_str(&out), &arena, &e));
	cr_expect_eq(e.recipient_count, ENVELOPE_RECIPIENTS_MAX);
	cr_expect_lt(arena.used_bytes, 1 << 20);
}

/* Bytes cut at every length and with every byte changed are decoded or refused, and never read
 * beyond their end. */
Test(envelope, damaged_bytes_are_decoded_or_refused)
{
	struct envelope a = sample(), b;

	cr_assert(envelope_encode(&a, &out));
	for (size_t n = 0; n < out.n; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, out.p, n);
		(void)!envelope_decode(str_make(copy, n), &arena, &b);
		free(copy);
		arena_clear(&arena);
	}
	for (size_t i = 0; i < out.n * 8; i++) {
		out.p[i / 8] ^= (char)(1 << i % 8);
		(void)!envelope_decode(buf_str(&out), &arena, &b);
		out.p[i / 8] ^= (char)(1 << i % 8);
		arena_clear(&arena);
	}
}

Test(envelope, refused)
{
#define ID                                                                                         \
	"\x01\x00\x0c\x00"                                                                         \
	"abcdefghijkl"
	static const struct str cases[] = {
	    {"", 0},
	    {"\x01", 1},
	    {"\x01\x00\x0b\x00"
	     "abcdefghijk",
	        15},
	    {ID "\x03\x00\x01\x00\x02", 21}, /* kind 2 */
	    {ID "\x0c\x00\x01\x00\x02", 21}, /* bool 2 */
	    {ID "\x05\x00\x02\x00"
	        "a",
	        21}, /* cut */
	    {ID "\x05\x00\x01\x00"
	        "a"
	        "\x05\x00\x01\x00"
	        "a",
	        26}, /* the same tag twice */
	    {ID "\x10\x00\x05\x00"
	        "\x00\x00\x00\x00\x01",
	        25}, /* 33 bits of priority */
	    {ID "\x14\x00\x09\x00"
	        "\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	        29},
	    {ID "\x02\x00\x0c\x00"
	        "\x01\x00\x03\x00"
	        "a@b"
	        "\x03\x00\x01\x00\x10",
	        32},                     /* notify 16 */
	    {ID "\x02\x00\x00\x00", 20}, /* recipient without address */
	    {ID "\x02\x00\x03\x00"
	        "\x03\x00\x01",
	        23},
	};
	struct envelope e;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_not(envelope_decode(cases[i], &arena, &e), "%zu", i);
	cr_expect(envelope_decode(STR(ID), &arena, &e));
}

Test(envelope, maximums)
{
	static struct envelope_recipient many[ENVELOPE_RECIPIENTS_MAX + 1];
	static char big[ENVELOPE_BYTES_MAX];
	struct envelope e = {.recipients = many, .recipient_count = ENVELOPE_RECIPIENTS_MAX}, back;

	for (size_t i = 0; i <= ENVELOPE_RECIPIENTS_MAX; i++)
		many[i].address = STR("someone.with.a.usual.name@example.org");
	cr_expect(envelope_encode(&e, &out));
	cr_expect(envelope_decode(buf_str(&out), &arena, &back));
	cr_expect_eq(back.recipient_count, ENVELOPE_RECIPIENTS_MAX);
	e.recipient_count++;
	buf_reset(&out);
	cr_expect_not(envelope_encode(&e, &out));
	cr_expect_not(envelope_decode(buf_str(&out), &arena, &back));
	buf_reset(&out);
	e = (struct envelope){.unknown = {big, 65500}, .recipients = many, .recipient_count = 1};
	cr_expect_not(envelope_encode(&e, &out));
	buf_reset(&out);
	e.unknown.n = 65400;
	cr_expect(envelope_encode(&e, &out));
	buf_reset(&out);
	many[0].address = str_make(big, 65530);
	e.unknown.n = 0;
	cr_expect_not(envelope_encode(&e, &out));
}

/* ---- the texts of an envelope ---- */

/* Whether an envelope with `text` in this field, and usual values elsewhere, decodes. */
static bool
is_decoded(size_t offset, struct str text)
{
	struct envelope_recipient one = {.address = STR("bob@example.net")};
	struct envelope e = {.id = {1, 1}, .recipients = &one, .recipient_count = 1}, back;

	*(struct str *)(void *)((char *)&e + offset) = text;
	buf_reset(&out);
	cr_assert(envelope_encode(&e, &out));
	return envelope_decode(buf_str(&out), &arena, &back);
}

static bool
is_recipient_decoded(struct str address, struct str orcpt)
{
	struct envelope_recipient one = {.address = address, .orcpt = orcpt};
	struct envelope e = {.id = {1, 1}, .recipients = &one, .recipient_count = 1}, back;

	buf_reset(&out);
	cr_assert(envelope_encode(&e, &out));
	return envelope_decode(buf_str(&out), &arena, &back);
}

static const size_t texts[] = {offsetof(struct envelope, user), offsetof(struct envelope, sender),
    offsetof(struct envelope, header_from), offsetof(struct envelope, client),
    offsetof(struct envelope, credential), offsetof(struct envelope, pool),
    offsetof(struct envelope, envid)};

#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

Test(envelope, no_text_holds_a_control_character)
{
	static const struct str bad[] = {S("a@b\r\nRCPT TO:<c@d>"), S("a@b\n"), S("a@b\r"),
	    S("a@b\0"), S("\0"), S("a@b\t"), S("a@b\x1b"), S("a@b\x7f"), S("\"a\r\n\"@b"),
	    S("a@b\xff")};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		for (size_t j = 0; j < sizeof texts / sizeof *texts; j++)
			cr_expect_not(is_decoded(texts[j], bad[i]), "%zu in %zu", i, j);
		cr_expect_not(is_recipient_decoded(bad[i], STR_NULL), "%zu", i);
		cr_expect_not(is_recipient_decoded(STR("a@b"), bad[i]), "%zu", i);
	}
}

/* Spools hold what MAIL and RCPT of version 0.1.0 accepted. */
Test(envelope, addresses_that_were_accepted_are_decoded)
{
	static const struct str good[] = {S("a@b"), S("\"a b\"@c"), S("\"a\\\"<>\"@c"),
	    S("a@[192.0.2.1]"), S("a@[IPv6:2001:db8::1]"), S("j\xc3\xbc@b\xc3\xbc.example"),
	    S("a%b!c@d"), S("a@b-c.d"), S("a\xe2\x80\xa8@b"), S("postmaster@example.com"),
	    S(".a..b.@c")};
	char longest[64 + 1 + 255];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		cr_expect(is_decoded(offsetof(struct envelope, sender), good[i]), "%zu", i);
		cr_expect(is_recipient_decoded(good[i], STR_NULL), "%zu", i);
	}
	memset(longest, 'a', sizeof longest);
	longest[64] = '@';
	for (size_t i = 65 + 63; i < sizeof longest; i += 64)
		longest[i] = '.';
	longest[sizeof longest - 1] = 'a';
	cr_expect(is_recipient_decoded(str_make(longest, sizeof longest), STR_NULL));
	cr_expect(is_decoded(offsetof(struct envelope, user), STR("a user with blanks \xc2\x80")));
}

Test(envelope, invalid_addresses_are_refused)
{
	static const struct str bad[] = {S("a"), S("@b"), S("a@"), S("a b@c"), S("a@b> SIZE=1"),
	    S("a@b,c@d"), S("<a@b>"), S("a@b c"), S("\"a@b"), S("a\"b\"@c"), S("@x:a@b"), S("a@b."),
	    S("a@-b"), S("a@b@c"), S("a@[x]"), S("a;b@c"), S("a\\b@c")};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_expect_not(is_decoded(offsetof(struct envelope, sender), bad[i]), "%zu", i);
		cr_expect_not(is_recipient_decoded(bad[i], STR_NULL), "%zu", i);
	}
}

Test(envelope, parameters)
{
	char longest[501];

	memset(longest, 'a', sizeof longest);
	memcpy(longest, "x;", 2);
	cr_expect(is_decoded(offsetof(struct envelope, envid), STR("QQ+3D314159")));
	cr_expect(is_decoded(offsetof(struct envelope, envid), str_make(longest, 100)));
	cr_expect_not(is_decoded(offsetof(struct envelope, envid), str_make(longest, 101)));
	cr_expect_not(is_decoded(offsetof(struct envelope, envid), STR("a b")));
	cr_expect_not(is_decoded(offsetof(struct envelope, envid), STR("a+0D+0A")));
	cr_expect(is_recipient_decoded(STR("a@b"), STR("rfc822;b+40c")));
	cr_expect(is_recipient_decoded(STR("a@b"), str_make(longest, 500)));
	cr_expect_not(is_recipient_decoded(STR("a@b"), str_make(longest, 501)));
	cr_expect_not(is_recipient_decoded(STR("a@b"), STR("rfc822;a b")));
	cr_expect_not(is_recipient_decoded(STR("a@b"), STR("rfc822")));
	cr_expect_not(is_recipient_decoded(STR("a@b"), STR("rfc822;a NOTIFY=NEVER")));
}

/* The format of version 0.1.0, octet by octet: every later version must read what is written
 * today. */
Test(envelope, the_stored_form_of_0_1_0)
{
	static const char stored[] = "\x01\x00\x0c\x00"
	                             "\x01\x00\x00\x00\x00\x00\x00\x00"
	                             "\x02\x00\x00\x00"
	                             "\x05\x00\x01\x00"
	                             "u"
	                             "\x06\x00\x03\x00"
	                             "a@b"
	                             "\x0c\x00\x01\x00"
	                             "\x01"
	                             "\x14\x00\x02\x00"
	                             "\x00\x01"
	                             "\x02\x00\x0c\x00"
	                             "\x01\x00\x03\x00"
	                             "c@d"
	                             "\x03\x00\x01\x00"
	                             "\x04";
	struct envelope_recipient to = {.address = STR("c@d"), .notify = NOTIFY_FAILURE};
	struct envelope e = {.id = {1, 2},
	                    .user = STR("u"),
	                    .sender = STR("a@b"),
	                    .smtputf8 = true,
	                    .body_bytes = 256,
	                    .recipients = &to,
	                    .recipient_count = 1},
	                back;

	cr_assert(envelope_encode(&e, &out));
	cr_expect(str_eq(buf_str(&out), STR(stored)));
	cr_assert(envelope_decode(STR(stored), &arena, &back));
	expect_same(&e, &back);
}

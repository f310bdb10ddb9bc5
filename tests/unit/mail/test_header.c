/* Header blocks: a block is split without changing a byte, or is refused. */
#include <criterion/criterion.h>

#include "mail/header.h"

#define IN(text) text, sizeof(text) - 1

static struct arena arena;

static void
set_up(void)
{
	arena_init(&arena, 4 << 20);
}

static void
tear_down(void)
{
	arena_clear(&arena);
}

TestSuite(header, .init = set_up, .fini = tear_down);

Test(header, fields)
{
	struct str block = STR("From: a@b\r\nsubject :x\r\n  y\r\n\tz\r\nX:\r\n \r\nTo:c");
	struct header h;
	size_t bytes = 0;

	cr_assert_eq(header_parse(block, &arena, &h).code, 250);
	cr_assert_eq(h.count, 4);
	cr_expect(str_eq(h.fields[0].name, STR("From")) && str_eq(h.fields[0].body, STR(" a@b")));
	cr_expect(str_eq(h.fields[1].name, STR("subject")));
	cr_expect(str_eq(h.fields[1].body, STR("x\r\n  y\r\n\tz")));
	cr_expect(str_eq(h.fields[2].raw, STR("X:\r\n \r\n")));
	cr_expect(str_eq(h.fields[3].raw, STR("To:c")) && str_eq(h.fields[3].body, STR("c")));
	for (size_t i = 0; i < h.count; i++) {
		cr_expect_eq(h.fields[i].raw.p, block.p + bytes);
		bytes += h.fields[i].raw.n;
	}
	cr_expect_eq(bytes, block.n);
	cr_expect_eq(header_find(&h, "SUBJECT"), &h.fields[1]);
	cr_expect_null(header_find(&h, "Sub"));
	cr_expect_eq(header_count(&h, "from"), 1);
	cr_expect_eq(header_count(&h, "cc"), 0);
	cr_assert_eq(header_parse(STR(""), &arena, &h).code, 250);
	cr_expect_eq(h.count, 0);
}

Test(header, refused)
{
	static const struct {
		const char *block;
		size_t n;
	} cases[] = {
		{IN("no field\r\n")}, {IN("From alice Sat Nov 21\r\nFrom: a@b\r\n")},
		{IN(" A: b\r\n")},
		{IN("\tA: b\r\n")}, {IN(": b\r\n")}, {IN("A: b\r\nbody\r\n")},
		{IN("A: b\r\n\r\nB: c\r\n")},
		{IN("A b: c\r\n")}, {IN("A\x01: c\r\n")}, {IN("A\x7f: c\r\n")},
		{IN("\xc3\xbc: c\r\n")},
		{IN("A: b\nB: c\r\n")}, {IN("A: b\rBcc: v\r\n")}, {IN("X: 1\r\r\n")},
		{IN("A: \0b\r\n")},
		{IN("A\0: b\r\n")}, {IN("A: b\r\n c\nd\r\n")}, {IN("A")}, {IN("A\r\n : b\r\n")},
		{IN("A:b\r")},
		{IN("\r\n")}, {IN("\n")},
	};
	struct header h;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smtp_status s =
		    header_parse(str_make(cases[i].block, cases[i].n), &arena, &h);

		cr_expect(s.code == 554 && s.subject == 6, "%zu: %u %s", i, s.code, s.text);
	}
}

/* The length of lines is checked in the result: see header_repair and header_sendable. */
Test(header, lines_of_any_length_are_fields)
{
	struct header h;
	struct buf b;

	buf_init(&b, 1 << 16);
	buf_addz(&b, "X: a\r\n ");
	while (b.n < 5000)
		buf_addc(&b, 'x');
	buf_addz(&b, "\r\nB: c\r\n");
	cr_expect_eq(header_parse(buf_str(&b), &arena, &h).code, 250);
	cr_expect_eq(h.count, 2);
	buf_clear(&b);
}

Test(header, limits)
{
	struct header h;
	struct buf b;

	buf_init(&b, 4 << 20);
	for (int i = 0; i < HEADER_FIELDS_MAX; i++)
		buf_addz(&b, "A: b\r\n");
	cr_expect_eq(header_parse(buf_str(&b), &arena, &h).code, 250);
	buf_addz(&b, "A: b\r\n");
	cr_expect_eq(header_parse(buf_str(&b), &arena, &h).code, 552);
	for (int i = 0; i < 100000; i++)
		buf_addz(&b, "A: b\r\n");
	cr_expect_eq(header_parse(buf_str(&b), &arena, &h).code, 552);
	buf_reset(&b);
	buf_addz(&b, "A: b\r\n");
	while (b.n < 1400000)
		buf_addz(&b, " folded folded folded folded folded folded folded\r\n");
	cr_expect_eq(header_parse(buf_str(&b), &arena, &h).code, 552);
	buf_clear(&b);
}

Test(header, block_of_64_KiB_is_the_longest)
{
	struct header h;
	struct buf b;

	buf_init(&b, 2 * HEADER_BYTES_MAX);
	for (int i = 0; i < HEADER_BYTES_MAX / 64; i++)
		buf_addf(&b, "X:%60s\r\n", "");
	cr_assert_eq(b.n, HEADER_BYTES_MAX);
	cr_expect_eq(header_parse(buf_str(&b), &arena, &h).code, 250);
	buf_addz(&b, "X:\r\n");
	cr_expect_eq(header_parse(buf_str(&b), &arena, &h).code, 552);
	buf_clear(&b);
}

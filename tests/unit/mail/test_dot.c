/* End of data: each similar sequence of published attacks, divided at every octet; and dot stuffing
 * in both directions. */
#include <criterion/criterion.h>

#include "mail/dot.h"

struct outcome {
	bool is_done;
	unsigned faults;
	size_t used;
	struct buf out;
};

/* Decodes `in` in parts that end at cut1 and cut2. */
static struct outcome
decode(struct str in, size_t cut1, size_t cut2)
{
	size_t ends[3] = {cut1, cut2, in.n}, at = 0;
	struct outcome o = {.used = 0};
	struct dot d;

	dot_init(&d);
	buf_init(&o.out, 1 << 20);
	for (int i = 0; i < 3 && !o.is_done; i++) {
		size_t used;

		o.is_done = dot_take(&d, str_make(in.p + at, ends[i] - at), &o.out, &used);
		cr_assert(o.is_done || used == ends[i] - at);
		at += used;
	}
	o.faults = d.faults;
	o.used = at;
	return o;
}

struct dot_case {
	const char *in;
	size_t n;
	const char *content; /* NULL: must have one of these faults */
	unsigned faults;
	bool is_done;
	size_t left; /* octets after the end */
};
#define IN(text) text, sizeof(text) - 1
#define LF CRLF_BARE_LF
#define CR CRLF_BARE_CR
#define NUL CRLF_NUL

static const struct dot_case dot_cases[] = {
	/* correct data */
	{IN(".\r\n"), "", 0, true, 0},
	{IN("a\r\n.\r\n"), "a\r\n", 0, true, 0},
	{IN("a\r\n.\r\nQUIT\r\n"), "a\r\n", 0, true, 6},
	{IN(".\r\n\0\n"), "", 0, true, 2},
	{IN("a\r\n..\r\n.\r\n"), "a\r\n.\r\n", 0, true, 0},
	{IN("...\r\n.\r\n"), "..\r\n", 0, true, 0},
	{IN(".a\r\n.\r\n"), "a\r\n", 0, true, 0},
	{IN("a.\r\n.\r\n"), "a.\r\n", 0, true, 0},
	{IN("\r\n\r\n.\r\n"), "\r\n\r\n", 0, true, 0},
	{IN("a\r\n.\r"), "a\r\n", 0, false, 0},
	{IN("a\r\n. \r\n.\r\n"), "a\r\n \r\n", 0, true, 0},
	{IN("a\r\n.\t\r\n.\r\n"), "a\r\n\t\r\n", 0, true, 0},
	{IN("a\r\n .\r\n.\r\n"), "a\r\n .\r\n", 0, true, 0},
	{IN("a\r\n\v.\r\n.\r\n"), "a\r\n\v.\r\n", 0, true, 0},
	{IN("a\xc2\x85.\xc2\x85" "b\r\n.\r\n"), "a\xc2\x85.\xc2\x85" "b\r\n", 0, true, 0},
	{IN("a\xe2\x80\xa8.\xe2\x80\xa8" "b\r\n.\r\n"), "a\xe2\x80\xa8.\xe2\x80\xa8" "b\r\n", 0,
	    true, 0},
	/* similar sequences: never the end, always a fault */
	{IN("a\n.\nMAIL\r\n.\r\n"), NULL, LF, true, 0},
	{IN("a\n.\r\nMAIL\r\n.\r\n"), NULL, LF, true, 0},
	{IN("a\r\n.\nMAIL\r\n.\r\n"), NULL, LF, true, 0},
	{IN("a\r.\rMAIL\r\n.\r\n"), NULL, CR, true, 0},
	{IN("a\r.\nMAIL\r\n.\r\n"), NULL, CR | LF, true, 0},
	{IN("a\n.\rMAIL\r\n.\r\n"), NULL, CR | LF, true, 0},
	{IN("a\r.\r\nMAIL\r\n.\r\n"), NULL, CR, true, 0},
	{IN("a\r\n.\rMAIL\r\n.\r\n"), NULL, CR, true, 0},
	{IN("a\r\n.\r\r\nMAIL\r\n.\r\n"), NULL, CR, true, 0},
	{IN("a\r\r\n.\r\r\nMAIL\r\n.\r\n"), NULL, CR, true, 0},
	{IN("a\r\r\n.\r\nMAIL\r\n"), NULL, CR, true, 6}, /* these five octets are the end */
	{IN("a\r\n\0.\r\nMAIL\r\n.\r\n"), NULL, NUL, true, 0},
	{IN("a\r\n.\0\r\nMAIL\r\n.\r\n"), NULL, NUL, true, 0},
	{IN("a\r\0\n.\r\nMAIL\r\n.\r\n"), NULL, CR | LF | NUL, true, 0},
	{IN("a\r\n.\r\0\nMAIL\r\n.\r\n"), NULL, CR | LF | NUL, true, 0},
	{IN("\n.\r\nMAIL\r\n.\r\n"), NULL, LF, true, 0},
	{IN(".\nMAIL\r\n.\r\n"), NULL, LF, true, 0},
	{IN(".\rMAIL\r\n.\r\n"), NULL, CR, true, 0},
	{IN("\r.\r\nMAIL\r\n.\r\n"), NULL, CR, true, 0},
	{IN("a\n\n.\n\nMAIL\r\n.\r\n"), NULL, LF, true, 0},
	{IN("a\n\r.\n\rMAIL\r\n.\r\n"), NULL, LF | CR, true, 0},
	{IN("a\r\n.\n\r\nMAIL\r\n.\r\n"), NULL, LF, true, 0},
	{IN("a\r\n.\r\rMAIL\r\n.\r\n"), NULL, CR, true, 0},
	{IN("a\r\r\r\nb\r\n.\r\n"), NULL, CR, true, 0},
	{IN("a\n"), NULL, LF, false, 0},
};

static void
expect(const struct dot_case *c, size_t cut1, size_t cut2)
{
	struct outcome o = decode(str_make(c->in, c->n), cut1, cut2);
	size_t i = (size_t)(c - dot_cases);

	cr_expect_eq(o.is_done, c->is_done, "%zu cut %zu %zu", i, cut1, cut2);
	cr_expect_eq(o.faults, c->faults, "%zu cut %zu %zu: %u", i, cut1, cut2, o.faults);
	cr_expect_eq(o.used, c->n - c->left, "%zu cut %zu %zu: %zu", i, cut1, cut2, o.used);
	if (c->content)
		cr_expect(str_eq(buf_str(&o.out), str_of(c->content)), "%zu cut %zu %zu", i, cut1,
		    cut2);
	buf_clear(&o.out);
}

Test(dot, only_crlf_dot_crlf_ends_the_data_at_every_division)
{
	for (size_t i = 0; i < sizeof dot_cases / sizeof *dot_cases; i++) {
		size_t n = dot_cases[i].n - dot_cases[i].left;

		for (size_t a = 0; a <= n; a++)
			for (size_t b = a; b <= n; b++)
				expect(&dot_cases[i], a, b);
	}
}

Test(dot, nothing_is_added_after_a_fault_or_beyond_the_maximum)
{
	struct buf out;
	struct dot d;
	size_t used;

	buf_init(&out, 8);
	dot_init(&d);
	cr_expect_not(dot_take(&d, STR("abcd\n"), &out, &used));
	out.n = 0;
	cr_expect_not(dot_take(&d, STR("efgh\r\n"), &out, &used));
	cr_expect_eq(out.n, 0);
	dot_init(&d);
	cr_expect_not(dot_take(&d, STR("more than eight\r\n"), &out, &used));
	cr_expect(out.over && used == 17);
	cr_expect(dot_take(&d, STR(".\r\nQ"), &out, &used));
	cr_expect_eq(used, 3);
	cr_expect(dot_take(&d, STR("QUIT"), &out, &used));
	cr_expect_eq(used, 0);
	buf_clear(&out);
}

Test(dot, chunks_are_checked)
{
	static const struct {
		const char *in;
		size_t n;
		unsigned faults;
	} cases[] = {
		{IN(""), 0}, {IN("a\r\nb"), 0}, {IN("a\r\n.\r\nMAIL FROM:<>\r\n"), 0},
		{IN("\r\n\r\n"), 0},
		{IN("a\n"), LF}, {IN("\n"), LF}, {IN("a\rb"), CR}, {IN("a\r"), CR},
		{IN("\r\r\n"), CR},
		{IN("a\0b"), NUL}, {IN("\r\0\n"), CR | NUL | LF}, {IN("\n\r"), LF | CR},
		{IN("a\r\n\nb\r\n"), LF},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t cut = 0; cut <= cases[i].n; cut++) {
			struct crlf_check c = {0};

			crlf_check_add(&c, str_make(cases[i].in, cut));
			crlf_check_add(&c, STR(""));
			crlf_check_add(&c, str_make(cases[i].in + cut, cases[i].n - cut));
			cr_expect_eq(crlf_check_end(&c), cases[i].faults, "%zu cut %zu", i, cut);
		}
}

static void
stuff_in_two(struct str in, size_t cut, struct buf *out)
{
	bool at_line_start = true;

	cr_assert(dot_stuff(str_upto(in, cut), &at_line_start, out));
	cr_assert(dot_stuff(str_from(in, cut), &at_line_start, out));
	cr_assert(dot_end(at_line_start, out));
}

Test(dot, stuffing_is_undone_by_decoding)
{
	static const struct {
		const char *in, *wire;
	} cases[] = {
		{"", ".\r\n"}, {"a", "a\r\n.\r\n"}, {"a\r\n", "a\r\n.\r\n"},
		{".\r\n", "..\r\n.\r\n"},
		{".", "..\r\n.\r\n"}, {"a\r\n.b\r\n", "a\r\n..b\r\n.\r\n"},
		{"..\r\n", "...\r\n.\r\n"},
		{"a.b\r\n.\r\n.\r\nc.", "a.b\r\n..\r\n..\r\nc.\r\n.\r\n"},
		{"\r\n.\r\n", "\r\n..\r\n.\r\n"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str in = str_of(cases[i].in);

		for (size_t cut = 0; cut <= in.n; cut++) {
			struct outcome o;
			struct buf wire;

			buf_init(&wire, 1 << 16);
			stuff_in_two(in, cut, &wire);
			cr_expect(str_eq(buf_str(&wire), str_of(cases[i].wire)), "%zu cut %zu", i,
			    cut);
			o = decode(buf_str(&wire), 0, 0);
			cr_expect(o.is_done && o.faults == 0 && str_starts(buf_str(&o.out), in));
			cr_expect_eq(o.used, wire.n);
			buf_clear(&wire);
			buf_clear(&o.out);
		}
	}
}

/* Faults of form in one field: what is corrected, and that nothing else changes. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "mail/header_repair.h"

static struct arena arena;
static struct header header;

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

TestSuite(header_repair, .init = set_up, .fini = tear_down);

static struct header_field
repair(struct str block)
{
	cr_assert_eq(header_parse(block, &arena, &header).code, 250);
	cr_assert_eq(header.count, 1);
	return header_repair(&header.fields[0], &arena);
}

Test(header_repair, a_correct_field_is_returned_unchanged)
{
	struct header_field f = repair(STR("To: a,\r\n\tb\r\n \r\n"));

	cr_expect_eq(f.raw.p, header.fields[0].raw.p);
	cr_expect_eq(f.raw.n, header.fields[0].raw.n);
}

Test(header_repair, faults_of_form)
{
	static const struct {
		const char *in, *name, *body;
	} cases[] = {
	    {"To: a", "To", " a"},
	    {"To : a\r\n", "To", " a"},
	    {"To \t : a\r\n b", "To", " a\r\n b"},
	    {"To:", "To", ""},
	    {"X: a\x0b"
	     "b\r\n",
	        "X", " a b"},
	    {"X:\x01\x02\r\n \x7f\r\n", "X", "  \r\n  "},
	    {"X: a\xc2\x85"
	     "b\xe2\x80\xa8"
	     "c\xc3\xbc\r\n",
	        "X", " a b c\xc3\xbc"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct header_field f = repair(str_of(cases[i].in));
		char raw[256];

		snprintf(raw, sizeof raw, "%s:%s\r\n", cases[i].name, cases[i].body);
		cr_expect(str_eq(f.raw, str_of(raw)), "%zu: %.*s", i, STR_ARG(f.raw));
		cr_expect(str_eq(f.name, str_of(cases[i].name)), "%zu", i);
		cr_expect(str_eq(f.body, str_of(cases[i].body)), "%zu", i);
	}
}

static struct str
unfolded(struct str s)
{
	char *p = arena_new(&arena, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n')
			p[n++] = s.p[i];
	return str_make(p, n);
}

static size_t
longest_line(struct str s)
{
	size_t longest = 0;
	struct str line;

	while (str_split(&s, '\n', &line))
		longest = line.n > longest + 1 ? line.n - 1 : longest;
	return longest;
}

/* 40 identifiers of 45 octets in References, or 60 recipients, in one line. */
static struct str
long_field(const char *name, const char *word, size_t count)
{
	struct buf b;
	struct str s;

	buf_init(&b, 1 << 16);
	buf_addf(&b, "%s:", name);
	while (count--)
		buf_addf(&b, " %s", word);
	buf_addz(&b, "\r\n");
	s = arena_str(&arena, buf_str(&b));
	buf_clear(&b);
	return s;
}

Test(header_repair, long_lines_are_folded_at_blanks)
{
	struct str in =
	    long_field("References", "<abcdefghijklmnopqrstuvwxyz0123@post.example>", 40);
	struct header_field f = repair(in);
	struct header_fault fault;

	cr_expect(header_is_sendable(f.raw, &fault));
	cr_expect_leq(longest_line(f.raw), 78);
	cr_expect(str_eq(unfolded(f.raw), unfolded(in)));
	in = long_field("To", "recipient@post.example,", 60);
	f = repair(in);
	cr_expect(header_is_sendable(f.raw, &fault) && str_eq(unfolded(f.raw), unfolded(in)));
}

Test(header_repair, a_line_of_998_octets_is_not_folded)
{
	struct str in = long_field("X", "a", 498); /* "X:" and 498 * 2 */

	cr_expect_eq(repair(in).raw.p, header.fields[0].raw.p);
	in = long_field("XY", "a", 498);
	cr_expect_leq(longest_line(repair(in).raw), 78);
}

Test(header_repair, words_are_never_divided)
{
	char word[1201] = "";
	struct header_field f;
	struct header_fault fault;

	memset(word, 'x', 1200);
	f = repair(long_field("X", word, 1));
	cr_expect_eq(longest_line(f.raw), 1201);
	cr_expect_not(header_is_sendable(f.raw, &fault));
	cr_expect_str_eq(fault.why, "line over 998 octets");
	word[500] = '\0';
	f = repair(long_field("X", word, 3));
	cr_expect(header_is_sendable(f.raw, &fault));
	cr_expect_eq(longest_line(f.raw), 501);
}

/* No line of blanks alone is made, and no quoted blank is separated from its backslash. */
Test(header_repair, positions_where_no_line_may_end)
{
	struct header_field f = repair(long_field("X", "a\\ b   ", 300));
	struct str rest = f.body, line;

	while (str_split(&rest, '\n', &line)) {
		cr_expect(str_trim(str_upto(line, str_find(line, '\r'))).n > 0);
		cr_expect_not(line.n > 1 && line.p[line.n - 2] == '\\');
	}
}

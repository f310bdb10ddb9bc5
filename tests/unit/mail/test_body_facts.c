/* What a body requires of a host: the result does not depend on the division into blocks. */
#include "mail/body_facts.h"

#include <criterion/criterion.h>

#include "base/buf.h"

static unsigned
facts_of(struct str body, size_t step)
{
	struct body_facts f = {.line_bytes = 0};

	for (size_t at = 0; at < body.n; at += step)
		body_facts_take(&f, str_upto(str_from(body, at), step));
	return body_facts_bits(&f);
}

/* A line of this many octets after a short one, and another line behind it. */
static void
expect_line(size_t octets, const char *end, unsigned bits)
{
	struct buf body;

	buf_init(&body, 8192);
	buf_addz(&body, "short\r\n");
	for (size_t i = 0; i < octets; i++)
		buf_addc(&body, 'x');
	buf_addz(&body, end);
	for (size_t step = 1; step <= body.n; step++)
		cr_expect_eq(facts_of(buf_str(&body), step), bits, "%zu octets, steps of %zu",
		    octets, step);
	buf_clear(&body);
}

Test(facts, long_lines_are_found_at_every_division)
{
	static const size_t lengths[] = {0, 1, 997, 998};

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		expect_line(lengths[i], "\r\n", BODY_FACTS_KNOWN);
		expect_line(lengths[i], "\r\nagain\r\n", BODY_FACTS_KNOWN);
		expect_line(lengths[i], "", BODY_FACTS_KNOWN);
	}
	expect_line(999, "\r\n", BODY_FACTS_KNOWN | BODY_FACTS_LONG_LINES);
	expect_line(999, "\r\nagain\r\n", BODY_FACTS_KNOWN | BODY_FACTS_LONG_LINES);
	expect_line(999, "", BODY_FACTS_KNOWN | BODY_FACTS_LONG_LINES);
	expect_line(3000, "\r\nx", BODY_FACTS_KNOWN | BODY_FACTS_LONG_LINES);
}

Test(facts, octets)
{
	cr_expect_eq(facts_of(STR(""), 1), BODY_FACTS_KNOWN);
	cr_expect_eq(facts_of(STR("plain\x7f\r\n"), 1), BODY_FACTS_KNOWN);
	cr_expect_eq(facts_of(STR("gr\xfc\r\nplain\r\n"), 1), BODY_FACTS_KNOWN | BODY_FACTS_8BIT);
	cr_expect_eq(facts_of(STR("\x80"), 1), BODY_FACTS_KNOWN | BODY_FACTS_8BIT);
}

/*
 * body_facts: a line ends at LF; the CR before it is counted too, because a body holds no other CR.
 */
#include "mail/body_facts.h"

void
body_facts_take(struct body_facts *f, struct str block)
{
	if (!f->is_8bit)
		f->is_8bit = !str_is_ascii(block);
	while (block.n && !f->has_long_lines) {
		size_t n = str_find(block, '\n');
		bool is_end = n < block.n;

		f->line_bytes += n;
		f->has_long_lines = f->line_bytes > BODY_FACTS_LINE_MAX + 1;
		if (is_end)
			f->line_bytes = 0;
		block = str_from(block, n + is_end);
	}
}

/* A last line without a line end has no CR. */
unsigned
body_facts_bits(const struct body_facts *f)
{
	bool is_long = f->has_long_lines || f->line_bytes > BODY_FACTS_LINE_MAX;

	return BODY_FACTS_KNOWN | (f->is_8bit ? BODY_FACTS_8BIT : 0u) |
	       (is_long ? BODY_FACTS_LONG_LINES : 0u);
}

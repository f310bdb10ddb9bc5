/* The content of a message comes in pieces of any size: header and body go to their own buffers,
 * and no octet is moved later. */
#include <criterion/criterion.h>

#include "ipc/message.h"
#include "mail/header.h"
#include "submission/content.h"

static struct content content;

/* Adds pieces of at most `step` octets, as a reader does. */
static void
add_text(struct str in, size_t step)
{
	while (in.n > 0) {
		struct str part = content_next_part(&content, str_upto(in, step));
		struct buf *to = content_part_bytes(&content);
		size_t before = to->n;

		cr_assert_gt(part.n, 0);
		cr_assert(buf_adds(to, part));
		content_added(&content, before);
		in = str_from(in, part.n);
	}
}

static void
expect_split(struct str in, struct str header, struct str body, bool has_body)
{
	for (size_t step = 1; step <= in.n + 1; step++) {
		content_init(&content);
		add_text(in, step);
		cr_expect(str_eq(buf_str(&content.header), header), "%.*s in %zu: %.*s",
		    STR_ARG(in), step, STR_ARG(buf_str(&content.header)));
		cr_expect(str_eq(buf_str(&content.body.bytes), body), "%.*s in %zu: %.*s",
		    STR_ARG(in), step, STR_ARG(buf_str(&content.body.bytes)));
		cr_expect_eq(content.has_body, has_body);
		cr_expect_eq(content_body_bytes(&content), body.n);
		content_clear(&content);
	}
}

Test(content, header_and_body_are_apart)
{
	expect_split(STR("A: b\r\n\r\nbody\r\n"), STR("A: b\r\n"), STR("body\r\n"), true);
	expect_split(
	    STR("A: b\r\nC: d\r\n\r\n\r\n\r\nx"), STR("A: b\r\nC: d\r\n"), STR("\r\n\r\nx"), true);
	expect_split(STR("\r\nbody\r\n\r\nmore"), STR(""), STR("body\r\n\r\nmore"), true);
	expect_split(STR("A: b\r\n\r\n"), STR("A: b\r\n"), STR(""), true);
	expect_split(STR("A: b\r\n"), STR("A: b\r\n"), STR(""), false);
	expect_split(STR("x\r\n\r\ny"), STR("x\r\n"), STR("y"), true);
	expect_split(STR("\r"), STR("\r"), STR(""), false);
	expect_split(STR("\r\n"), STR(""), STR(""), true);
}

Test(content, the_size_of_the_header_has_a_bound)
{
	static char line[HEADER_BYTES_MAX + 2];

	memset(line, 'x', sizeof line);
	memcpy(line + HEADER_BYTES_MAX - 4, "\r\n\r\n", 4);
	content_init(&content);
	add_text(str_make(line, HEADER_BYTES_MAX), 5000);
	cr_expect(content.has_body && content_header_fits(&content));
	content_clear(&content);
	memcpy(line + HEADER_BYTES_MAX - 4, "xx\r\n\r\n", 6);
	content_init(&content);
	cr_assert(
	    buf_adds(&content.header, content_next_part(&content, str_make(line, sizeof line))));
	cr_expect_eq(content.header.n, HEADER_BYTES_MAX + 1);
	content_added(&content, 0);
	cr_expect_not(content_header_fits(&content));
	content_clear(&content);
}

/* The empty line counts too; of a body in a file, only the piece that is not written yet. */
Test(content, more_than_a_packet_is_full)
{
	static char text[MESSAGE_CONTENT_MAX + 1];
	static const char header[] = "A: b\r\n\r\n";

	memset(text, 'x', sizeof text);
	memcpy(text, header, sizeof header - 1);
	content_init(&content);
	add_text(str_make(text, MESSAGE_CONTENT_MAX), 4096);
	cr_expect_not(content_is_full(&content));
	add_text(STR("x"), 1);
	cr_expect(content_is_full(&content));
	cr_expect_eq(content_next_part(&content, STR("x")).n, 0);
	content.body.in_file = true;
	cr_expect_not(content_is_full(&content));
	cr_expect_eq(content_next_part(&content, str_make(text, sizeof text)).n, sizeof header - 1);
	content_clear(&content);
}

Test(content, facts_are_those_of_the_body)
{
	static const struct {
		struct str in;
		bool is_8bit, is_8bit_body;
	} cases[] = {
	    {{"A: b\r\n\r\nc", 9}, false, false},
	    {{"A: \xc3\xbc\r\n\r\nc", 10}, true, false},
	    {{"A: b\r\n\r\n\xc3\xbc", 10}, true, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		content_init(&content);
		add_text(cases[i].in, 3);
		cr_expect_eq(content_is_8bit(&content), cases[i].is_8bit);
		cr_expect_eq(content.body.facts.is_8bit, cases[i].is_8bit_body);
		content_clear(&content);
	}
}

Test(content, a_header_is_replaced_as_a_whole)
{
	struct buf other;

	buf_init(&other, 100);
	buf_addz(&other, "C: d\r\n");
	content_init(&content);
	add_text(STR("A: \xc3\xbc\r\n\r\nbody"), 100);
	content_replace_header(&content, &other);
	cr_expect(str_eq(buf_str(&content.header), STR("C: d\r\n")));
	cr_expect(str_eq(buf_str(&content.body.bytes), STR("body")));
	cr_expect_not(content_is_8bit(&content));
	cr_expect_null(other.p);
	content_clear(&content);
}

Test(content, nothing_is_added_after_it_was_discarded)
{
	content_init(&content);
	add_text(STR("A: b\r\n\r\nbody"), 100);
	content_discard(&content);
	cr_expect_null(content.header.p);
	cr_expect_null(content.body.bytes.p);
	cr_expect_not(buf_adds(content_part_bytes(&content), STR("x")));
	content_clear(&content);
}

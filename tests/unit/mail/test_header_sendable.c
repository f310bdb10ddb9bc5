/* Which header blocks may be sent: the table states for each block whether, and why not. */
#include <criterion/criterion.h>

#include "mail/header.h"

#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

Test(header_sendable, allowed)
{
	static const struct str blocks[] = {
	    S("A: b\r\n"),
	    S("A:\r\n"),
	    S("A: b\r\n c\r\n\td\r\n"),
	    S("A: b\r\n \r\nB: c\r\n"),
	    S("A:\tb\tc\r\n"),
	    S("Subject: gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\r\n"),
	    S("!#$~: x\r\n"),
	    S("A: \xc2\xa0\xe2\x80\xa7\xe2\x80\xaa\r\n"),
	    S("A: b:c : d\r\n"),
	};
	struct header_fault fault;

	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
		cr_expect(header_is_sendable(blocks[i], &fault), "%zu: %s", i, fault.why);
}

Test(header_sendable, refused)
{
	static const struct {
		struct str block;
		const char *why, *name;
	} cases[] = {
	    {S(""), "no header field", ""},
	    {S("\r\n"), "empty line", ""},
	    {S("A: b"), "line ends without CRLF", ""},
	    {S("A: b\r"), "line ends without CRLF", ""},
	    {S("A: b\n"), "line ends without CRLF", ""},
	    {S("A: b\r\n\r\n"), "empty line", "A"},
	    {S("A: b\r\n\r\nB: c\r\n"), "empty line", "A"},
	    {S("A: b\nB: c\r\n"), "line ends without CRLF", ""},
	    {S("A: b\rB: c\r\n"), "control character", "A"},
	    {S("A: b\r\r\n"), "control character", "A"},
	    {S("A: b\r\n c\0d\r\n"), "control character", "A"},
	    {S("A: b\r\nB: \x0b\r\n"), "control character", "B"},
	    {S("A: \x0c\r\n"), "control character", "A"},
	    {S("A: \x1c\r\n"), "control character", "A"},
	    {S("A: \x1b[2J\r\n"), "control character", "A"},
	    {S("A: \x7f\r\n"), "control character", "A"},
	    {S("A: \xc2\x85\r\n"), "control character", "A"},
	    {S("A: \xe2\x80\xa8\r\n"), "control character", "A"},
	    {S("A: \xe2\x80\xa9\r\n"), "control character", "A"},
	    {S("A: \xfc\r\n"), "not well-formed UTF-8", "A"},
	    {S("A: \xc2\r\n"), "not well-formed UTF-8", "A"},
	    {S(" A: b\r\n"), "begins with a blank", ""},
	    {S("\tA: b\r\n"), "begins with a blank", ""},
	    {S("A : b\r\n"), "no field name", ""},
	    {S("A: b\r\nFrom \t: c\r\n"), "no field name", ""},
	    {S(": b\r\n"), "no field name", ""},
	    {S("A\r\n"), "no field name", ""},
	    {S("From alice Sat Nov 21\r\n"), "no field name", ""},
	    {S("\xc3\xbc: b\r\n"), "no field name", ""},
	};
	struct header_fault fault;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_not(header_is_sendable(cases[i].block, &fault), "%zu", i);
		cr_expect_str_eq(fault.why, cases[i].why, "%zu: %s", i, fault.why);
		cr_expect(
		    str_eq(fault.name, str_of(cases[i].name)), "%zu: %.*s", i, STR_ARG(fault.name));
	}
}

static bool
line_is_sendable(size_t octets)
{
	struct header_fault fault;
	char line[1024] = "A:";

	memset(line + 2, 'x', octets - 2);
	memcpy(line + octets, "\r\n", 2);
	return header_is_sendable(str_make(line, octets + 2), &fault);
}

Test(header_sendable, lines_have_at_most_998_octets)
{
	cr_expect(line_is_sendable(998));
	cr_expect_not(line_is_sendable(999));
}

Test(header_sendable, control_bytes)
{
	for (unsigned c = 0; c < 128; c++) {
		char text[] = {(char)c, 'x'};

		cr_expect_eq(header_control_bytes(str_make(text, 2)),
		    c != '\t' && (c < ' ' || c == 127), "%u", c);
	}
	cr_expect_eq(header_control_bytes(STR("")), 0);
	cr_expect_eq(header_control_bytes(STR("\xc2")), 0);
	cr_expect_eq(header_control_bytes(STR("\xc2\x85")), 2);
	cr_expect_eq(header_control_bytes(STR("\xc2\xa0")), 0);
	cr_expect_eq(header_control_bytes(STR("\xe2\x80")), 0);
	cr_expect_eq(header_control_bytes(STR("\xe2\x80\xa8")), 3);
	cr_expect_eq(header_control_bytes(STR("\xe2\x81\xa8")), 0);
}

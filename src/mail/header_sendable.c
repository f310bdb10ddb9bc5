/*
 * header_sendable: the last check of a header block before it is sent or stored. It knows nothing
 * of the meaning of fields; it allows only what every reader divides into the same lines and
 * fields.
 */
#include "mail/header.h"

/* Octets of the character at the front of s if it is one of U+0080 to U+009F, U+2028, U+2029; else
 * 0. */
static size_t
header_wide_control_bytes(struct str s)
{
	unsigned char a = (unsigned char)s.p[0], b = s.n > 1 ? (unsigned char)s.p[1] : 0;

	if (a == 0xc2 && b >= 0x80 && b < 0xa0)
		return 2;
	if (a == 0xe2 && b == 0x80 && s.n > 2 && (s.p[2] == '\xa8' || s.p[2] == '\xa9'))
		return 3;
	return 0;
}

size_t
header_control_bytes(struct str s)
{
	unsigned char c;

	if (s.n == 0)
		return 0;
	c = (unsigned char)s.p[0];
	if (c < 0x80)
		return (c < 0x20 && c != '\t') || c == 0x7f;
	return header_wide_control_bytes(s);
}

/* Nothing above 0x7e: then only octets below 0x20 must be checked. */
static bool
header_is_plain(struct str block)
{
	return str_is_ascii(block) && !str_has(block, '\x7f');
}

static bool
header_line_has_control(struct str line, bool is_plain)
{
	size_t i = 0;

	while (is_plain && (i = str_find_control(line, i)) < line.n)
		if (line.p[i++] != '\t')
			return true;
	for (i = 0; !is_plain && i < line.n; i++)
		if (header_control_bytes(str_from(line, i)))
			return true;
	return false;
}

/* Whether a line begins with "Name:"; else *name_out is empty. */
static bool
header_line_begins_field(struct str line, struct str *name_out)
{
	size_t n = 0;

	while (n < line.n && line.p[n] > 32 && line.p[n] < 127 && line.p[n] != ':')
		n++;
	*name_out = n < line.n && line.p[n] == ':' ? str_upto(line, n) : STR_NULL;
	return name_out->n > 0;
}

/* line: without its LF. NULL, or why it may not be sent. */
static const char *
header_line_fault(struct str line, bool is_plain, struct str *name)
{
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		return "line ends without CRLF";
	line.n--;
	if (line.n == 0)
		return "empty line";
	if (line.p[0] == ' ' || line.p[0] == '\t') {
		if (name->n == 0)
			return "begins with a blank";
	} else if (!header_line_begins_field(line, name)) {
		return "no field name";
	}
	if (line.n > HEADER_LINE_MAX)
		return "line over 998 octets";
	if (header_line_has_control(line, is_plain))
		return "control character";
	return is_plain || str_is_utf8(line) ? NULL : "not well-formed UTF-8";
}

bool
header_is_sendable(struct str block, struct header_fault *fault_out)
{
	bool is_plain = header_is_plain(block);

	*fault_out = (struct header_fault){.why = block.n ? NULL : "no header field"};
	while (block.n && !fault_out->why) {
		size_t lf = str_find(block, '\n');

		if (lf == block.n)
			fault_out->why = "line ends without CRLF";
		else
			fault_out->why =
			    header_line_fault(str_upto(block, lf), is_plain, &fault_out->name);
		block = str_from(block, lf + 1);
	}
	return !fault_out->why;
}

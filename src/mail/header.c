/*
 * header: fields are views into the block, so their bytes cannot change by mistake. Input that
 * programs could read in two ways (a line without a colon, bare CR or LF, NUL) is refused.
 */
#include "mail/header.h"

static bool
header_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct smtp_status
refuse_header_field(const char *what, size_t number)
{
	return smtp_status_make(554, "5.6.0", "Header field %zu: %s", number, what);
}

/* The line at the front of s with its CRLF; the last line of a block may have none. */
static size_t
header_line_bytes(struct str s)
{
	size_t lf = str_find(s, '\n');

	return lf < s.n ? lf + 1 : s.n;
}

/* line: with its line end. NULL, or the fault. */
static const char *
check_header_line(struct str line)
{
	if (line.n && line.p[line.n - 1] == '\n') {
		if (line.n < 2 || line.p[line.n - 2] != '\r')
			return "line ends without CR";
		line.n -= 2;
	}
	if (str_has(line, '\r') || str_has(line, '\0'))
		return "CR or NUL in a line";
	return NULL;
}

/* Name, blanks (obsolete, but readers ignore them), colon. */
static const char *
split_header_field(struct header_field *f)
{
	size_t colon = str_find(f->raw, ':'), n = 0;

	while (n < colon && f->raw.p[n] > 32 && f->raw.p[n] < 127)
		n++;
	f->name = str_upto(f->raw, n);
	for (size_t i = n; i < colon; i++)
		if (!header_is_blank(f->raw.p[i]))
			return "no field name";
	if (n == 0 || colon == f->raw.n)
		return "no field name";
	f->body = str_from(f->raw, colon + 1);
	if (f->body.n >= 2 && f->body.p[f->body.n - 1] == '\n')
		f->body.n -= 2;
	return NULL;
}

const char *
header_take(struct str *rest, struct header_field *out)
{
	struct str block = *rest;
	size_t n = 0, line;

	do {
		const char *why;

		line = header_line_bytes(str_from(block, n));
		why = check_header_line(str_make(block.p + n, line));
		if (why)
			return why;
		n += line;
	} while (n < block.n && header_is_blank(block.p[n]));
	out->raw = str_upto(block, n);
	*rest = str_from(block, n);
	return split_header_field(out);
}

static size_t
count_header_fields(struct str block)
{
	size_t count = 0;

	for (size_t at = 0; at < block.n; at += header_line_bytes(str_from(block, at)))
		count += !header_is_blank(block.p[at]);
	return count;
}

struct smtp_status
header_too_large(void)
{
	return smtp_status_make(552, "5.3.4", "Header is larger than %d octets", HEADER_BYTES_MAX);
}

struct smtp_status
header_parse(struct str block, struct arena *arena, struct header *out)
{
	size_t count = count_header_fields(block);

	*out = (struct header){0};
	if (block.n > HEADER_BYTES_MAX)
		return header_too_large();
	if (count > HEADER_FIELDS_MAX)
		return smtp_status_make(
		    552, "5.3.4", "More than %d header fields", HEADER_FIELDS_MAX);
	if (block.n && header_is_blank(block.p[0]))
		return refuse_header_field("begins with a blank", 1);
	out->fields = ARENA_ARRAY(arena, struct header_field, count);
	while (block.n) {
		const char *why = header_take(&block, &out->fields[out->count]);

		if (why)
			return refuse_header_field(why, out->count + 1);
		out->count++;
	}
	return (struct smtp_status){.code = 250};
}

bool
header_is(const struct header_field *f, const char *name)
{
	return str_ieq(f->name, str_of(name));
}

const struct header_field *
header_find(const struct header *h, const char *name)
{
	for (size_t i = 0; i < h->count; i++)
		if (header_is(&h->fields[i], name))
			return &h->fields[i];
	return NULL;
}

size_t
header_count(const struct header *h, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < h->count; i++)
		count += header_is(&h->fields[i], name);
	return count;
}

size_t
header_comment_bytes(struct str s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

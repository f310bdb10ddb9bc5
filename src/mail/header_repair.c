/*
 * header_repair: folding does not change the meaning (RFC 5322 section 2.2.3), and is never
 * inserted inside a word: a word of more than 998 octets stays, and header_is_sendable refuses it.
 */
#include "mail/header_repair.h"

enum { FOLD_BYTES = 78 };

static bool
repair_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* CR and LF occur only together, as header_parse has checked. */
static size_t
repair_control_bytes(struct str s)
{
	return s.p[0] == '\r' || s.p[0] == '\n' ? 0 : header_control_bytes(s);
}

bool
header_has_control(const struct header_field *f)
{
	for (size_t i = 0; i < f->body.n; i++) {
		unsigned char c = (unsigned char)f->body.p[i];

		/* most octets, without a call for each */
		if (c >= 0x20 && c < 0x7f)
			continue;
		if (repair_control_bytes(str_from(f->body, i)))
			return true;
	}
	return false;
}

static bool
repair_is_needed(const struct header_field *f)
{
	struct str rest = f->raw, line;

	if (f->body.p != f->name.p + f->name.n + 1 || f->raw.p[f->raw.n - 1] != '\n')
		return true;
	while (str_split(&rest, '\n', &line))
		if (line.n > HEADER_LINE_MAX + 1)
			return true;
	return header_has_control(f);
}

/* ---- folding ---- */

/* Whether a line end may be inserted before s.p[i]: a blank after a word, with another word behind
 * it. */
static bool
repair_may_fold(struct str s, size_t i, size_t last_word)
{
	return i < last_word && repair_is_blank(s.p[i]) && !repair_is_blank(s.p[i - 1]) &&
	       s.p[i - 1] != '\\';
}

/* The end of the first part of a line; s.n: it cannot be folded. */
static size_t
repair_fold_at(struct str s)
{
	size_t last_word = s.n, at = 0, i = 1;

	while (last_word && repair_is_blank(s.p[last_word - 1]))
		last_word--;
	for (; i <= FOLD_BYTES && i < s.n; i++)
		if (repair_may_fold(s, i, last_word))
			at = i;
	for (; at == 0 && i < s.n; i++)
		if (repair_may_fold(s, i, last_word))
			at = i;
	return at ? at : s.n;
}

/* line: without its line end. */
static void
repair_add_line(struct buf *out, struct str line)
{
	bool is_long = line.n > HEADER_LINE_MAX;

	do {
		size_t n = is_long ? repair_fold_at(line) : line.n;

		buf_adds(out, str_upto(line, n));
		buf_addz(out, "\r\n");
		line = str_from(line, n);
	} while (line.n);
}

/* ---- the field ---- */

static void
repair_add_value(struct buf *out, struct str body)
{
	for (size_t i = 0; i < body.n; i++) {
		size_t n = repair_control_bytes(str_from(body, i));

		buf_addc(out, n ? ' ' : body.p[i]);
		i += n ? n - 1 : 0;
	}
}

static void
repair_add_lines(struct buf *out, struct str value)
{
	while (value.n) {
		size_t lf = str_find(value, '\n');
		struct str line = str_upto(value, lf);

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		repair_add_line(out, line);
		value = str_from(value, lf + 1);
	}
}

struct header_field
header_repair(const struct header_field *f, struct arena *arena)
{
	struct header_field repaired = *f;
	struct buf value, raw;

	if (!repair_is_needed(f))
		return repaired;
	buf_init(&value, f->raw.n + 1);
	buf_init(&raw, 3 * f->raw.n + 3);
	buf_adds(&value, f->name);
	buf_addc(&value, ':');
	repair_add_value(&value, f->body);
	repair_add_lines(&raw, buf_str(&value));
	repaired.raw = arena_str(arena, buf_str(&raw));
	repaired.name = str_upto(repaired.raw, f->name.n);
	repaired.body = str_make(repaired.raw.p + f->name.n + 1, repaired.raw.n - f->name.n - 3);
	buf_clear(&value);
	buf_clear(&raw);
	return repaired;
}

/*
 * dsn_write: one function decides for each character what may be in a report, and all widths are of
 * the form that it gives. Columns are the caller's, who knows what is on the line already. Text
 * that is too long is cut and not refused. Whether the buffer was large enough its owner asks at
 * the end.
 */
#include "queue/reports/dsn_write.h"

#include <stdio.h>

enum { CHARACTER_BYTES = 16 };

/* Takes one character from *rest and writes the form that may be in the report; returns its length.
 * is_typed: in an address of type utf-8, where "+", "=", "\" and blanks are escaped. */
static size_t
dsn_next_character(
    const struct dsn_writer *w, struct str *rest, bool is_typed, char out[CHARACTER_BYTES])
{
	unsigned char c = (unsigned char)rest->p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	struct str s = str_upto(*rest, n);
	unsigned long value = n == 1 ? c : c & (0x7fu >> n);
	bool is_wide = n > 1 && s.n == n && str_is_utf8(s);
	bool is_escaped = is_wide ? !w->is_utf8 || value == 0 : is_typed && strchr("+=\\ ", c);

	*rest = str_from(*rest, is_wide ? n : 1);
	for (size_t i = 1; is_wide && i < n; i++)
		value = value << 6 | ((unsigned char)s.p[i] & 0x3f);
	/* U+0080 to U+009F control terminals as ESC does */
	if (is_wide ? value < 0xa0 : c < 0x20 || c > 0x7e)
		return (size_t)snprintf(out, CHARACTER_BYTES, "?");
	if (is_escaped)
		return (size_t)snprintf(out, CHARACTER_BYTES, "\\x{%lX}", value);
	return (size_t)snprintf(out, CHARACTER_BYTES, "%.*s", STR_ARG(s));
}

size_t
dsn_width(const struct dsn_writer *w, struct str text)
{
	char character[CHARACTER_BYTES];
	size_t n = 0;

	while (text.n)
		n += dsn_next_character(w, &text, false, character);
	return n;
}

/* Writes as much as fits into `max` columns; false: not all. */
static bool
dsn_write_some(struct dsn_writer *w, struct str text, bool is_typed, size_t max)
{
	char character[CHARACTER_BYTES];
	size_t n;

	while (text.n) {
		n = dsn_next_character(w, &text, is_typed, character);
		if (n > max)
			return false;
		buf_add(w->out, character, n);
		max -= n;
	}
	return true;
}

void
dsn_write_text(struct dsn_writer *w, struct str text)
{
	(void)dsn_write_some(w, text, false, DSN_LINE_MAX / 3);
}

static bool
dsn_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Breaks a word that is longer than a line; returns the column behind it. */
static size_t
dsn_write_word(struct dsn_writer *w, struct str word, size_t column, const char *indent)
{
	char character[CHARACTER_BYTES];
	size_t n;

	while (word.n) {
		n = dsn_next_character(w, &word, false, character);
		if (column + n > DSN_LINE_MAX) {
			buf_addf(w->out, "\r\n%s", indent);
			column = strlen(indent);
		}
		buf_add(w->out, character, n);
		column += n;
	}
	return column;
}

/* No line begins with a word of another system (RFC 5322 section 2.2.3: a folded line begins with a
 * blank), and none consists only of blanks. */
void
dsn_write_words(struct dsn_writer *w, struct str text, size_t column, const char *indent)
{
	size_t words = 0;

	while (text.n) {
		struct str word;
		size_t n = 0;

		while (n < text.n && !dsn_is_blank(text.p[n]))
			n++;
		word = str_upto(text, n);
		text = str_from(text, n < text.n ? n + 1 : n);
		if (n == 0)
			continue;
		if (words++ && column + 1 + dsn_width(w, word) > DSN_LINE_PREFERRED) {
			buf_addf(w->out, "\r\n%s", indent);
			column = strlen(indent);
		} else if (words > 1) {
			buf_addc(w->out, ' ');
			column++;
		}
		column = dsn_write_word(w, word, column, indent);
	}
}

void
dsn_write_address(struct dsn_writer *w, struct str address)
{
	if (!dsn_write_some(w, address, false, DSN_ADDRESS_MAX))
		buf_addz(w->out, "...");
}

void
dsn_write_typed(struct dsn_writer *w, struct str type, struct str address)
{
	bool is_wide = !str_is_ascii(address) && str_is_utf8(address);

	if (is_wide)
		type = STR("utf-8");
	(void)dsn_write_some(w, type, false, DSN_LINE_PREFERRED / 2);
	buf_addc(w->out, ';');
	if (!dsn_write_some(w, address, is_wide, DSN_ADDRESS_MAX))
		buf_addz(w->out, "...");
}

void
dsn_write_host(struct dsn_writer *w, const struct dsn_item *item)
{
	bool is_named = item->host.n && !str_eq(item->host, item->address);

	if (is_named)
		dsn_write_text(w, item->host);
	if (item->address.n == 0)
		return;
	buf_addz(w->out, is_named ? " [" : "[");
	dsn_write_text(w, item->address);
	buf_addc(w->out, ']');
}

/*
 * dsn_original: a message with 8-bit bytes or with lines that are too long is not converted,
 * because that would break its structure and signatures.  Its header is returned instead, with the
 * words beyond ASCII as encoded words (RFC 2047), and the text for people mentions it.
 */
#include "queue/reports/dsn_original.h"

#include "base/encode.h"
#include "mail/header.h"

enum {
	BASE64_LINE = 57,
	WORD_BYTES = 45, /* one encoded word: 75 characters at most */
	ENCODED_MAX = 72 << 10, /* of a report; its text about recipients is at its beginning */
};

/* Can it be part of the report without a change? */
static bool
dsn_is_fit(const struct dsn_writer *w, struct str text)
{
	struct str line;

	if ((!w->is_utf8 && !str_is_ascii(text)) || str_has(text, '\0'))
		return false;
	while (str_split(&text, '\n', &line)) {
		size_t end = str_find(line, '\r');

		if (line.n > HEADER_LINE_MAX + 1)
			return false;
		/* the last line may have no line end */
		if (text.p ? end + 1 != line.n : end != line.n)
			return false;
	}
	return true;
}

static bool
dsn_some_failed(const struct dsn_writer *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->d->items[i].action == DSN_FAILED)
			return true;
	return false;
}

/* RET is about failures; all other reports return the header only (RFC 3461 section 4.3). */
enum dsn_original
dsn_original_form(const struct dsn_writer *w, bool *is_unfit_out)
{
	const struct dsn *d = w->d;

	*is_unfit_out = false;
	if (d->header.n == 0)
		return DSN_ORIGINAL_NONE;
	if (!d->has_body || d->is_brief || !dsn_some_failed(w))
		return DSN_ORIGINAL_HEADER;
	if (dsn_is_fit(w, d->header) && (d->body.n == 0 || dsn_is_fit(w, d->body)))
		return DSN_ORIGINAL_WHOLE;
	if (d->envelope->kind == ENVELOPE_REPORT)
		return DSN_ORIGINAL_ENCODED;
	*is_unfit_out = true;
	return DSN_ORIGINAL_HEADER;
}

/* ---- the header alone ---- */

/* Length of the longest beginning that fits one encoded word, cut between characters. */
static size_t
dsn_encoded_bytes(struct str text)
{
	size_t n = text.n < WORD_BYTES ? text.n : WORD_BYTES;

	while (n > 1 && n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void
dsn_encoded_words(struct dsn_writer *w, struct str text, const char *before)
{
	while (text.n) {
		size_t n = dsn_encoded_bytes(text);

		buf_addf(w->out, "%s =?utf-8?B?", before);
		before = "\r\n";
		encode_base64(w->out, str_upto(text, n));
		buf_addz(w->out, "?=");
		text = str_from(text, n);
	}
}

static void
dsn_printable(struct dsn_writer *w, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		buf_addc(w->out, (c >= 0x20 && c < 0x7f) || c == '\t' ? (char)c : '?');
	}
}

/* From the first word beyond ASCII to the last one: blanks between encoded words are not shown. */
static struct str
dsn_wide_part(struct str line)
{
	size_t from = 0, to = line.n;

	while (from < line.n && (unsigned char)line.p[from] < 0x80)
		from++;
	while (to > from && (unsigned char)line.p[to - 1] < 0x80)
		to--;
	while (from > 0 && line.p[from - 1] != ' ' && line.p[from - 1] != '\t' &&
	    line.p[from - 1] != ':')
		from--;
	while (to < line.n && line.p[to] != ' ' && line.p[to] != '\t')
		to++;
	return str_make(line.p + from, to - from);
}

static bool
dsn_has_controls(struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] < 0x20 ? line.p[i] != '\t' : line.p[i] == 0x7f)
			return true;
	return false;
}

/* One header line, without its line end. */
static void
dsn_header_line(struct dsn_writer *w, struct str line)
{
	struct str wide, before, behind;

	line = str_upto(line, HEADER_LINE_MAX);
	if (w->is_utf8 && str_is_utf8(line) && !dsn_has_controls(line)) {
		buf_adds(w->out, line);
	} else if (str_is_ascii(line) || !str_is_utf8(line)) {
		dsn_printable(w, line);
	} else {
		wide = dsn_wide_part(line);
		before = str_trim(str_upto(line, (size_t)(wide.p - line.p)));
		behind = str_from(line, (size_t)(wide.p - line.p) + wide.n);
		dsn_printable(w, before);
		dsn_encoded_words(w, wide, before.n ? "\r\n" : "");
		if (str_trim(behind).n) {
			buf_addz(w->out, "\r\n");
			dsn_printable(w, behind);
		}
	}
	buf_addz(w->out, "\r\n");
}

/* Whole lines, up to the maximum. */
static void
dsn_header_lines(struct dsn_writer *w)
{
	size_t start = w->out->n, max = w->d->is_brief ? DSN_BRIEF_MAX : DSN_HEADER_MAX;
	struct str rest = w->d->header, line;

	while (str_split(&rest, '\n', &line)) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			continue;
		if (w->out->n - start + line.n > max)
			return;
		dsn_header_line(w, line);
	}
}

/* ---- the part ---- */

static void
dsn_base64_lines(struct buf *out, struct str in)
{
	while (in.n) {
		encode_base64(out, str_upto(in, BASE64_LINE));
		buf_addz(out, "\r\n");
		in = str_from(in, BASE64_LINE);
	}
}

static void
dsn_add_whole(struct buf *out, const struct dsn *d)
{
	buf_adds(out, d->header);
	buf_addz(out, "\r\n");
	buf_adds(out, d->body);
}

static void
dsn_original_whole(struct dsn_writer *w)
{
	bool is_wide = !str_is_ascii(w->d->header);

	buf_addf(w->out, "Content-Type: message/%s\r\n", is_wide ? "global" : "rfc822");
	if (is_wide || !str_is_ascii(w->d->body))
		buf_addz(w->out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_addz(w->out, "\r\n");
	dsn_add_whole(w->out, w->d);
}

static void
dsn_original_header(struct dsn_writer *w)
{
	if (w->is_utf8 && !str_is_ascii(w->d->header))
		buf_addz(w->out, "Content-Type: message/global-headers\r\n"
				 "Content-Transfer-Encoding: 8bit\r\n\r\n");
	else
		buf_addz(w->out, "Content-Type: text/rfc822-headers\r\n\r\n");
	dsn_header_lines(w);
}

static void
dsn_original_encoded(struct dsn_writer *w)
{
	struct buf plain;

	buf_addz(w->out, "Content-Type: message/global\r\n"
			 "Content-Transfer-Encoding: base64\r\n\r\n");
	buf_init(&plain, DSN_REPORT_MAX * 2);
	dsn_add_whole(&plain, w->d);
	dsn_base64_lines(w->out, str_upto(buf_str(&plain), ENCODED_MAX));
	buf_clear(&plain);
}

void
dsn_original(struct dsn_writer *w, enum dsn_original form)
{
	if (form == DSN_ORIGINAL_WHOLE)
		dsn_original_whole(w);
	else if (form == DSN_ORIGINAL_HEADER)
		dsn_original_header(w);
	else if (form == DSN_ORIGINAL_ENCODED)
		dsn_original_encoded(w);
}

/*
 * fold: the position where a line can be folded is stored while the line is written; the line end
 * is inserted there only when the line has become too long.
 */
#include "mail/fold.h"

#include "base/encode.h"

#define FOLD_CHARSET "=?utf-8?"

enum {
	/* charset, "B?" or "Q?", "?=" */
	FOLD_OVERHEAD = sizeof FOLD_CHARSET - 1 + 4,
	/* with less room than for one character of four octets, a word begins a line */
	FOLD_ROOM_MIN = FOLD_OVERHEAD + 12,
};

static bool
fold_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char
fold_last(const struct fold *f)
{
	return f->out->n ? f->out->p[f->out->n - 1] : '\0';
}

static size_t
fold_column(const struct fold *f)
{
	return f->out->n - f->line_start;
}

static void
fold_break(struct fold *f)
{
	size_t tail_bytes = f->out->n - f->last_blank;
	char *at;

	if (!buf_addz(f->out, "\r\n"))
		return;
	at = f->out->p + f->last_blank;
	memmove(at + 2, at, tail_bytes);
	memcpy(at, "\r\n", 2);
	f->line_start = f->last_blank + 2;
	f->last_blank = 0;
}

static void
fold_octet(struct fold *f, char c)
{
	char last = fold_last(f);

	if (fold_is_blank(c) && !fold_is_blank(last) && !f->is_unbreakable &&
	    (last != '\\' || !f->has_pairs))
		f->last_blank = f->out->n;
	buf_addc(f->out, c);
	if (!fold_is_blank(c) && f->last_blank && fold_column(f) > FOLD_COLUMNS)
		fold_break(f);
}

void
fold_begin(struct fold *f, struct buf *out, struct str name)
{
	*f = (struct fold){.out = out, .line_start = out->n};
	buf_adds(out, name);
	buf_addc(out, ':');
}

void
fold_text(struct fold *f, struct str text)
{
	if (text.n == 0)
		return;
	if (f->needs_blank && !fold_is_blank(text.p[0]) && text.p[0] != ')')
		fold_octet(f, ' ');
	f->needs_blank = false;
	for (size_t i = 0; i < text.n; i++)
		fold_octet(f, text.p[i]);
}

void
fold_blank(struct fold *f)
{
	if (!fold_is_blank(fold_last(f)))
		fold_octet(f, ' ');
	f->needs_blank = false;
}

void
fold_require_blank(struct fold *f)
{
	f->needs_blank = true;
}

void
fold_end(struct fold *f)
{
	buf_addz(f->out, "\r\n");
}

/* ---- encoded words ---- */

/* RFC 2047 section 5 (3): what a phrase allows is allowed everywhere. */
static bool
fold_is_plain(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || (c && strchr("!*+-/", c));
}

static size_t
fold_q_bytes(struct str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += fold_is_plain(text.p[i]) || text.p[i] == ' ' ? 1 : 3;
	return n;
}

static size_t
fold_bytes(struct str text, char encoding)
{
	return encoding == 'B' ? (text.n + 2) / 3 * 4 : fold_q_bytes(text);
}

static void
fold_add_q(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (fold_is_plain(text.p[i]))
			buf_addc(out, text.p[i]);
		else if (text.p[i] == ' ')
			buf_addc(out, '_');
		else
			buf_addf(out, "=%02X", (unsigned char)text.p[i]);
}

static size_t
fold_character_bytes(struct str text)
{
	unsigned char c = (unsigned char)text.p[0];
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return n < text.n ? n : text.n;
}

/* Octets of the complete characters, at least one, that fit into a word of this size. */
static size_t
fold_fitting(struct str text, char encoding, size_t room)
{
	size_t n = fold_character_bytes(text);

	while (n < text.n) {
		size_t next = n + fold_character_bytes(str_from(text, n));

		if (FOLD_OVERHEAD + fold_bytes(str_upto(text, next), encoding) > room)
			break;
		n = next;
	}
	return n;
}

static size_t
fold_room(const struct fold *f)
{
	size_t used = fold_column(f) + f->closing;
	size_t room = used < FOLD_COLUMNS ? FOLD_COLUMNS - used : 0;

	return room < FOLD_WORD_MAX ? room : FOLD_WORD_MAX;
}

static void
fold_add_word(struct fold *f, struct str text, char encoding)
{
	buf_addf(f->out, FOLD_CHARSET "%c?", encoding);
	if (encoding == 'B')
		encode_base64(f->out, text);
	else
		fold_add_q(f->out, text);
	buf_addz(f->out, "?=");
}

void
fold_encoded(struct fold *f, struct str text)
{
	char encoding = fold_bytes(text, 'Q') < fold_bytes(text, 'B') ? 'Q' : 'B';
	bool is_first = true;
	size_t n;

	if (text.n && fold_last(f) != '(')
		fold_blank(f);
	for (; text.n && buf_ok(f->out); text = str_from(text, n)) {
		if (!is_first)
			fold_octet(f, ' ');
		if (f->last_blank && (!is_first || fold_room(f) < FOLD_ROOM_MIN))
			fold_break(f);
		n = fold_fitting(text, encoding, fold_room(f));
		fold_add_word(f, str_upto(text, n), encoding);
		f->needs_blank = true;
		is_first = false;
	}
}

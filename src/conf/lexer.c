/*
 * lexer: comments are skipped in their three forms; a word is a name, a number or a misplaced
 * anything.
 */
#include "conf/lexer.h"

void
lex_init(struct lex *l, struct str text)
{
	*l = (struct lex){.text = text, .line = 1, .is_line_start = true};
}

static char
peek(const struct lex *l, size_t ahead)
{
	return l->at + ahead < l->text.n ? l->text.p[l->at + ahead] : '\0';
}

static void
step(struct lex *l)
{
	if (l->text.p[l->at] == '\n') {
		l->line++;
		l->is_line_start = true;
	}
	l->at++;
}

static void
skip_block(struct lex *l)
{
	while (l->at < l->text.n && !(peek(l, 0) == '*' && peek(l, 1) == '/'))
		step(l);
	for (int i = 0; i < 2 && l->at < l->text.n; i++)
		step(l);
}

static void
skip_blanks(struct lex *l)
{
	while (l->at < l->text.n) {
		char c = peek(l, 0);

		if (c == '#' || (c == '/' && peek(l, 1) == '/')) {
			while (l->at < l->text.n && peek(l, 0) != '\n')
				step(l);
		} else if (c == '/' && peek(l, 1) == '*') {
			l->at += 2;
			skip_block(l);
		} else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f') {
			step(l);
		} else {
			return;
		}
	}
}

static bool
is_word(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || (unsigned char)c >= 0x80 ||
	       (c != '\0' && strchr("_*-+.%", c));
}

static enum lex_kind
take_text(struct lex *l)
{
	step(l);
	while (l->at < l->text.n && peek(l, 0) != '"') {
		if (peek(l, 0) == '\\' && l->at + 1 < l->text.n)
			step(l);
		step(l);
	}
	if (l->at == l->text.n)
		return LEX_OPEN_TEXT;
	step(l);
	return LEX_TEXT;
}

struct lex_token
lex_next(struct lex *l)
{
	struct lex_token t = {.kind = LEX_END};
	size_t from;

	skip_blanks(l);
	from = l->at;
	t.line = l->line;
	t.is_first = l->is_line_start;
	l->is_line_start = false;
	if (from == l->text.n)
		return t;
	if (peek(l, 0) == '"') {
		t.kind = take_text(l);
	} else if (is_word(peek(l, 0))) {
		t.kind = LEX_WORD;
		while (is_word(peek(l, 0)))
			step(l);
	} else {
		t.kind = LEX_MARK;
		step(l);
	}
	t.text = str_make(l->text.p + from, l->at - from);
	return t;
}

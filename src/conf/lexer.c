/*
 * lexer: comments are skipped in their three forms; a word is a name, a number or any other text
 * without quotes.
 */
#include "conf/lexer.h"

void
lexer_init(struct lexer *l, struct str text)
{
	*l = (struct lexer){.text = text, .line = 1, .is_line_start = true};
}

static char
lexer_peek(const struct lexer *l, size_t ahead)
{
	return l->at + ahead < l->text.n ? l->text.p[l->at + ahead] : '\0';
}

static void
lexer_step(struct lexer *l)
{
	if (l->text.p[l->at] == '\n') {
		l->line++;
		l->is_line_start = true;
	}
	l->at++;
}

static void
skip_block(struct lexer *l)
{
	while (l->at < l->text.n && !(lexer_peek(l, 0) == '*' && lexer_peek(l, 1) == '/'))
		lexer_step(l);
	for (int i = 0; i < 2 && l->at < l->text.n; i++)
		lexer_step(l);
}

static void
skip_blanks(struct lexer *l)
{
	while (l->at < l->text.n) {
		char c = lexer_peek(l, 0);

		if (c == '#' || (c == '/' && lexer_peek(l, 1) == '/')) {
			while (l->at < l->text.n && lexer_peek(l, 0) != '\n')
				lexer_step(l);
		} else if (c == '/' && lexer_peek(l, 1) == '*') {
			l->at += 2;
			skip_block(l);
		} else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f') {
			lexer_step(l);
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

static enum lexer_kind
lexer_take_text(struct lexer *l)
{
	lexer_step(l);
	while (l->at < l->text.n && lexer_peek(l, 0) != '"') {
		if (lexer_peek(l, 0) == '\\' && l->at + 1 < l->text.n)
			lexer_step(l);
		lexer_step(l);
	}
	if (l->at == l->text.n)
		return LEXER_OPEN_TEXT;
	lexer_step(l);
	return LEXER_TEXT;
}

struct lexer_token
lexer_next(struct lexer *l)
{
	struct lexer_token t = {.kind = LEXER_END};
	size_t from;

	skip_blanks(l);
	from = l->at;
	t.line = l->line;
	t.is_first = l->is_line_start;
	l->is_line_start = false;
	if (from == l->text.n)
		return t;
	if (lexer_peek(l, 0) == '"') {
		t.kind = lexer_take_text(l);
	} else if (is_word(lexer_peek(l, 0))) {
		t.kind = LEXER_WORD;
		while (is_word(lexer_peek(l, 0)))
			lexer_step(l);
	} else {
		t.kind = LEXER_MARK;
		lexer_step(l);
	}
	t.text = str_make(l->text.p + from, l->at - from);
	return t;
}

/*
 * lexer: the tokens of libconfig's grammar, only so far as to find what libconfig itself does not
 * tell: includes, numbers that do not fit, NUL in a text, and the likely cause of a syntax error.
 */
#ifndef CONF_LEXER_H
#define CONF_LEXER_H

#include "base/str.h"

enum lexer_kind { LEXER_END, LEXER_WORD, LEXER_TEXT, LEXER_OPEN_TEXT, LEXER_MARK };

struct lexer_token {
	enum lexer_kind kind;
	struct str text; /* quotes included */
	int line;        /* where it begins */
	bool is_first;   /* nothing but blanks before it on its line */
};

struct lexer {
	struct str text;
	size_t at;
	int line;
	bool is_line_start;
};

void lexer_init(struct lexer *l, struct str text);
struct lexer_token lexer_next(struct lexer *l);

#endif

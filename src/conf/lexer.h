/*
 * lexer: the tokens of libconfig's grammar, only so far as to find what libconfig itself does not
 * tell: includes, numbers that do not fit, NUL in a text, and the likely cause of a syntax error.
 */
#ifndef CONF_LEXER_H
#define CONF_LEXER_H

#include "base/str.h"

enum lex_kind { LEX_END, LEX_WORD, LEX_TEXT, LEX_OPEN_TEXT, LEX_MARK };

struct lex_token {
	enum lex_kind kind;
	struct str text; /* quotes included */
	int line;        /* where it begins */
	bool is_first;   /* nothing but blanks before it on its line */
};

struct lex {
	struct str text;
	size_t at;
	int line;
	bool is_line_start;
};

void lex_init(struct lex *l, struct str text);
struct lex_token lex_next(struct lex *l);

#endif

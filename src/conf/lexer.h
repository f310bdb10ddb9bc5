/*
 * lexer: the tokens of libconfig's grammar, only as far as needed to find what libconfig does not
 * report: includes, numbers out of range, NUL in a text, and the likely cause of a syntax error.
 */
#ifndef CONF_LEXER_H
#define CONF_LEXER_H

#include "base/str.h"

enum lexer_kind { LEXER_END, LEXER_WORD, LEXER_TEXT, LEXER_OPEN_TEXT, LEXER_MARK };

struct lexer_token {
	enum lexer_kind kind;
	struct str text; /* quotes included */
	int line;        /* where it begins */
	bool is_first;   /* only blanks before it on its line */
};

struct lexer {
	struct str text;
	size_t at;
	int line;
	bool is_line_start;
};

/* Starts at the beginning of the text, which must live as long. */
void lexer_init(struct lexer *l, struct str text);
/* The next token; LEXER_END at the end. */
struct lexer_token lexer_next(struct lexer *l);

#endif

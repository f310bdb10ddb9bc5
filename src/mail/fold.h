/*
 * fold: writes one header field in lines of at most 76 characters (RFC 2047 section 2: a line with
 * an encoded word may not be longer), folded at blanks.
 */
#ifndef MAIL_FOLD_H
#define MAIL_FOLD_H

#include "base/buf.h"

enum { FOLD_COLUMNS = 76, FOLD_WORD_MAX = 75 };

struct fold {
	struct buf *out;
	size_t line_start;   /* in out: the start of the last line */
	size_t last_blank;   /* in out: the last position where that line can be folded; 0: none */
	size_t closing;      /* characters that will follow the next encoded word without a blank */
	bool has_pairs;      /* "\\" quotes the next character: no fold between the two; set by the
	                        caller */
	bool is_unbreakable; /* set by the caller: what is written now must not be folded */
	bool needs_blank;    /* an encoded word was written last: a blank must follow */
};

/* Writes "Name:". out belongs to the caller; when it is full, nothing more is written. */
void fold_begin(struct fold *f, struct buf *out, struct str name);
/* Writes text without line ends, unchanged. It is folded at a blank where the line would be too
 * long; a word without a blank before it, or one that is itself longer, makes a longer line. After
 * an encoded word a blank is written first, unless text begins with a blank or with ")". */
void fold_text(struct fold *f, struct str text);
/* Writes a blank, unless the last character is one. */
void fold_blank(struct fold *f);
/* Writes UTF-8 text as encoded words, in the shorter one of the encodings B and Q: as much as fits
 * on this line, then one word on each line; no character is divided. Every octet is one that is
 * allowed in a phrase, a comment and unstructured text. A blank is written first, unless a blank or
 * "(" precedes. Empty text writes nothing. */
void fold_encoded(struct fold *f, struct str text);
/* The next text is separated by a blank, as after an encoded word. */
void fold_require_blank(struct fold *f);
/* Writes CRLF. */
void fold_end(struct fold *f);

#endif

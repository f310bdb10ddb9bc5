/*
 * fold: one header field written anew, in lines of at most 76 characters (RFC 2047 section 2: a
 * line with an encoded word may have no more), folded where a blank stands.
 */
#ifndef MAIL_FOLD_H
#define MAIL_FOLD_H

#include "base/buf.h"

enum { FOLD_COLUMNS = 76, FOLD_WORD_MAX = 75 };

struct fold {
	struct buf *out;
	size_t line_at;  /* in out: where the last line begins */
	size_t blank_at; /* in out: the last place where that line can be folded; 0: none */
	size_t closing;  /* characters that will follow the next encoded word without a blank */
	bool has_pairs;  /* "\\" quotes what follows: no fold between the two; the caller sets it */
	bool is_whole;   /* the caller sets it: what is written now is not folded inside */
	bool owes_blank; /* an encoded word was the last thing: a blank must follow */
};

/* Writes "Name:".  out stays the caller's; beyond its ceiling nothing more is written. */
void fold_begin(struct fold *f, struct buf *out, struct str name);
/* Text without line ends, as it is.  It is folded at a blank where the line would be too long; a
 * word that has no blank before it, or is itself longer, makes a longer line.  Behind an encoded
 * word a blank is put first, unless text begins with one or with ")". */
void fold_text(struct fold *f, struct str text);
/* A blank, unless the last character is one. */
void fold_blank(struct fold *f);
/* UTF-8 text as encoded words in the shorter one of the forms B and Q, as far as possible on this
 * line and then one on each line; no character is divided.  Every octet is one that may stand in a
 * phrase, a comment and unstructured text.  A blank is put first, unless one or "(" stands there.
 * Empty text writes nothing. */
void fold_encoded(struct fold *f, struct str text);
/* Whatever follows is set apart by a blank, as behind an encoded word. */
void fold_require_blank(struct fold *f);
/* CRLF. */
void fold_end(struct fold *f);

#endif

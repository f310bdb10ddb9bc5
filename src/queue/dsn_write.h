/*
 * dsn_write: what the parts of a report share: the words of strangers made harmless.  Every
 * character is printable and stands behind something of ours in its line; a character beyond ASCII
 * that may not stand in the report is written as \x{HEX} (RFC 6533 section 3), a byte that is no
 * character as "?".  No line grows beyond DSN_LINE_MAX by them.
 */
#ifndef QUEUE_DSN_WRITE_H
#define QUEUE_DSN_WRITE_H

#include "queue/dsn.h"

enum {
	DSN_LINE_PREFERRED = 76,
	DSN_LINE_MAX = 900,    /* a longer word is broken */
	DSN_ADDRESS_MAX = 600, /* a longer address is cut, and "..." says so */
};

struct dsn_writer {
	const struct dsn *d;
	struct buf *out;
	size_t count; /* items to tell of */
	bool is_utf8; /* the report may hold UTF-8 */
};

/* Columns that the text takes. */
size_t dsn_width(const struct dsn_writer *w, struct str text);
/* On one line: short texts without blanks, such as host names. */
void dsn_write_text(struct dsn_writer *w, struct str text);
/* Words, folded: `column` is where they begin, each further line begins with `indent`. */
void dsn_write_words(struct dsn_writer *w, struct str text, size_t column, const char *indent);
/* As a person reads it. */
void dsn_write_address(struct dsn_writer *w, struct str address);
/* "rfc822;bob@example.net", or the address of type utf-8 that it is (RFC 6533 section 3). */
void dsn_write_typed(struct dsn_writer *w, struct str type, struct str address);
/* "host [address]" */
void dsn_write_host(struct dsn_writer *w, const struct dsn_item *item);

#endif

/*
 * dsn_write: writes text from other systems safely into a report.  Every character is printable,
 * and each line begins with text of this system.  A character beyond ASCII that the report may not
 * contain is written as \x{HEX} (RFC 6533 section 3), a byte that is no character as "?". No line
 * becomes longer than DSN_LINE_MAX.
 */
#ifndef QUEUE_REPORTS_DSN_WRITE_H
#define QUEUE_REPORTS_DSN_WRITE_H

#include "base/buf.h"
#include "queue/reports/dsn_input.h"

enum {
	DSN_LINE_PREFERRED = 76,
	DSN_LINE_MAX = 900,    /* a longer word is broken */
	DSN_ADDRESS_MAX = 600, /* a longer address is cut, and "..." says so */
};

struct dsn_writer {
	const struct dsn *d;
	struct buf *out;
	size_t count; /* items that the report is about */
	bool is_utf8; /* the report may contain UTF-8 */
};

/* Columns that the written text needs. */
size_t dsn_width(const struct dsn_writer *w, struct str text);
/* On one line: short texts without blanks, such as host names. */
void dsn_write_text(struct dsn_writer *w, struct str text);
/* Words, folded: `column` is where they begin; each further line begins with `indent`. */
void dsn_write_words(struct dsn_writer *w, struct str text, size_t column, const char *indent);
/* In the form for people. */
void dsn_write_address(struct dsn_writer *w, struct str address);
/* "rfc822;bob@example.net", or type utf-8 where the address needs it (RFC 6533 section 3). */
void dsn_write_typed(struct dsn_writer *w, struct str type, struct str address);
/* "host [address]" */
void dsn_write_host(struct dsn_writer *w, const struct dsn_item *item);

#endif

/*
 * body_facts: what a body requires of a host. It is found while the body passes in blocks of any
 * size.
 */
#ifndef MAIL_BODY_FACTS_H
#define MAIL_BODY_FACTS_H

#include "base/str.h"

/* As stored in an envelope. Without BODY_FACTS_KNOWN the body was not examined. */
enum body_facts_bit {
	BODY_FACTS_KNOWN = 1 << 0,
	BODY_FACTS_8BIT = 1 << 1, /* an octet above 127: needs 8BITMIME (RFC 6152) */
	BODY_FACTS_LONG_LINES =
	    1 << 2, /* a line of more than 998 octets (RFC 5322 section 2.1.1) */
};

enum { BODY_FACTS_LINE_MAX = 998 };

/* All zeros at the start of a body. Line ends are CRLF, because submission accepts no others. */
struct body_facts {
	size_t line_bytes; /* of the line that is not complete yet */
	bool is_8bit;
	bool has_long_lines;
};

/* Examines the next block of the body. */
void body_facts_take(struct body_facts *f, struct str block);
/* BODY_FACTS_KNOWN and what was found. */
unsigned body_facts_bits(const struct body_facts *f);

#endif

/*
 * body_facts: what a body needs of a host, found out while it streams by, in blocks cut anywhere.
 */
#ifndef MAIL_BODY_FACTS_H
#define MAIL_BODY_FACTS_H

#include "base/str.h"

/* As they stand in an envelope.  Without BODY_FACTS_KNOWN nobody has looked. */
enum body_facts_bit {
	BODY_FACTS_KNOWN = 1 << 0,
	BODY_FACTS_8BIT = 1 << 1, /* an octet above 127: needs 8BITMIME (RFC 6152) */
	BODY_FACTS_LONG_LINES =
	    1 << 2, /* a line of more than 998 octets (RFC 5322 section 2.1.1) */
};

enum { BODY_FACTS_LINE_MAX = 998 };

/* Zeroed: at the start of a body.  Line ends are CRLF, as submission takes no others. */
struct body_facts {
	size_t line_bytes; /* of the line that goes on */
	bool is_8bit;
	bool has_long_lines;
};

void body_facts_take(struct body_facts *f, struct str block);
/* BODY_FACTS_KNOWN and what was found. */
unsigned body_facts_bits(const struct body_facts *f);

#endif

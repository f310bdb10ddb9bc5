/*
 * header: splits the header block of a message (RFC 5322, 6532) into fields without changing a
 * byte, and parses the address lists in them as the recipient's program will parse them.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "mail/mail_address.h"
#include "mail/smtp_status.h"

enum { HEADER_BYTES_MAX = 65536, HEADER_FIELDS_MAX = 2000, HEADER_LINE_MAX = 998 };

struct header_field {
	struct str raw;  /* name, colon, value, folded lines, final CRLF */
	struct str name; /* without blanks before the colon */
	struct str body; /* the value after the colon, folding included, without the final CRLF */
};

struct header {
	struct header_field *fields;
	size_t count;
};

/* block: fields only, without the empty line. code 250, or 552 5.3.4 (too large, too many fields),
 * 554 5.6.0 (a line that is no field, CR or NUL in a line, control characters in a name). A first
 * line that is no field means that there is no header: 554 5.6.0 as well. Lines may have any
 * length, and values may hold other control characters: header_is_sendable checks what is sent. */
struct smtp_status header_parse(struct str block, struct arena *arena, struct header *out);

/* 552 5.3.4, for a header that is too large. */
struct smtp_status header_too_large(void);

/* Takes one field with its folded lines off the front of *rest, which is not empty. NULL, or a
 * phrase that states why there is none; then *out and *rest are of no use. */
const char *header_take(struct str *rest, struct header_field *out) MUST_USE;

/* Octets of the control character at the front of s (U+0000 to U+001F but TAB, U+007F to U+009F,
 * U+2028, U+2029, in UTF-8); 0: the character is none of these, or s is empty. */
size_t header_control_bytes(struct str s);

/* Octets of the comment (RFC 5322 section 3.2.2) at the front of s, which begins with "("; 0: the
 * comment is not closed. */
size_t header_comment_bytes(struct str s);

/* Why a header block may not be sent, and in which field. */
struct header_fault {
	const char *why; /* a phrase */
	struct str name; /* of the field; empty: it has none */
};

/* Whether this header block, without the empty line, may be sent unchanged. Accepts any bytes. True
 * when every field is name, colon, value and folded lines; every line ends in CRLF, holds 1 to 998
 * octets before it, is well-formed UTF-8 and has no control character but TAB; there is nothing
 * between name and colon; and there is at least one field. *fault_out is set when the answer is
 * false. */
bool header_is_sendable(struct str block, struct header_fault *fault_out) MUST_USE;

/* Whether the field has this name; case is ignored. */
bool header_is(const struct header_field *f, const char *name);
/* The first field of that name, or NULL; the number of them. */
const struct header_field *header_find(const struct header *h, const char *name);
size_t header_count(const struct header *h, const char *name);

struct header_address {
	/* addr-spec as written, without comments and folding; may lack "@domain" */
	struct str text;
	size_t at, n;   /* position and length of the addr-spec in the body */
	bool is_simple; /* the text is unchanged: no comment or folding inside */
};

enum { HEADER_ADDRESSES_MAX = 20000 };

/* Parses an address list (RFC 5322 section 3.4, groups included; obsolete routes in angle brackets
 * are dropped). False when it does not parse: an unclosed quote, comment or bracket, control
 * characters, nesting over 64, encoded words in place of an address. display_name_check judges the
 * encoded words in display names and comments. */
bool header_addresses(
    struct str body, struct arena *arena, struct header_address **out, size_t *count_out) MUST_USE;

#endif

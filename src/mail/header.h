/*
 * header: the header block of a message (RFC 5322, 6532), split into fields without changing a
 * byte, and the address lists in it, read as the recipient's program will read them.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "mail/mail_address.h"
#include "mail/smtp_status.h"

enum { HEADER_BYTES_MAX = 65536, HEADER_FIELDS_MAX = 2000, HEADER_LINE_MAX = 998 };

struct header_field {
	struct str raw;  /* name, colon, value, folded lines, final CRLF */
	struct str name; /* without blanks before the colon */
	struct str body; /* behind the colon; final CRLF left off, folding kept */
};

struct header {
	struct header_field *fields;
	size_t count;
};

/* block: fields only, without the empty line.  code 250, or 552 5.3.4 (too many fields), 554 5.6.0
 * (a line that is no field, CR or NUL in a line, control characters in a name).  A first line
 * that is no field means there is no header at all: 554 5.6.0 as well.  Lines may have any length
 * and values may hold other control characters: header_is_sendable judges what leaves. */
struct smtp_status header_parse(struct str block, struct arena *arena, struct header *out);

/* Takes one field with its folded lines off the front of *rest, which is not empty.  NULL, or why
 * none stands there: a phrase, and *rest is as it was. */
const char *header_take(struct str *rest, struct header_field *out) MUST_USE;

/* Octets of the control character at the front of s (U+0000 to U+001F but TAB, U+007F to U+009F,
 * U+2028, U+2029, in UTF-8); 0: the character there is none of these, or s is empty. */
size_t header_control_bytes(struct str s);

/* Octets of the comment (RFC 5322 section 3.2.2) at the front of s, which begins with its "(";
 * 0: it does not end. */
size_t header_comment_bytes(struct str s);

/* Why a header block may not leave, and in which field. */
struct header_fault {
	const char *why; /* a phrase */
	struct str name; /* of the field; empty: it has none */
};

/* May this header block, without the empty line, leave as it is?  Total.  True when every field is
 * name, colon, value and folded lines; every line ends in CRLF, holds 1 to 998 octets before it, is
 * well-formed UTF-8 and free of control characters but TAB; nothing stands between name and colon;
 * and there is at least one field.  *fault_out is set when the answer is false. */
bool header_is_sendable(struct str block, struct header_fault *fault_out) MUST_USE;

/* The field's name is this one, without case. */
bool header_is(const struct header_field *f, const char *name);
/* First field of that name, or NULL; count of them. */
const struct header_field *header_find(const struct header *h, const char *name);
size_t header_count(const struct header *h, const char *name);

struct header_address {
	/* addr-spec as written, comments and folding removed; may lack "@domain" */
	struct str text;
	size_t at, n;   /* where the addr-spec stands in the body: [at, at + n) */
	bool is_simple; /* what stands there is text itself: no comment or folding inside */
};

enum { HEADER_ADDRESSES_MAX = 20000 };

/* An address list (RFC 5322 section 3.4, groups included; obsolete routes in angle brackets
 * dropped).  False when it does not parse: an unclosed quote, comment or bracket, control
 * characters, nesting over 64, encoded words where an address must stand.  What encoded words in
 * display names and comments say is judged by display_name_check. */
bool header_addresses(
    struct str body, struct arena *arena, struct header_address **out, size_t *count_out) MUST_USE;

#endif

/*
 * header_ascii: a header of UTF-8 (RFC 6532) as a host without SMTPUTF8 can take it: text as
 * encoded words (RFC 2047), parameters as extended ones (RFC 2231).  Addresses, identifiers and
 * names have no other form: a header that has them beyond ASCII cannot be sent there.
 */
#ifndef MAIL_HEADER_ASCII_H
#define MAIL_HEADER_ASCII_H

#include "mail/header.h"

/* Short names in great number grow most: about nine times. */
enum { HEADER_ASCII_BYTES_MAX = 512 * 1024 };

/* block: what header_is_sendable allows.  True: out (empty before, with whatever ceiling) holds a
 * block that is all ASCII and header_is_sendable, in which every field that was ASCII is as it was
 * and every other one decodes to what it was; lines with encoded words have at most 76 characters,
 * unless an ASCII word beside them is longer.  Else *fault_out tells the field and why, and out
 * holds nothing of use. */
bool header_to_ascii(struct str block, struct buf *out, struct header_fault *fault_out) MUST_USE;

#endif

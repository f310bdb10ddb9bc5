/*
 * header_ascii: converts a header of UTF-8 (RFC 6532) for a host without SMTPUTF8: text to encoded
 * words (RFC 2047), parameters to extended ones (RFC 2231). Addresses, identifiers and names have
 * no such form: a header that has them beyond ASCII cannot be sent there.
 */
#ifndef MAIL_HEADER_ASCII_H
#define MAIL_HEADER_ASCII_H

#include "mail/header.h"

/* Many short names grow most: about nine times. */
enum { HEADER_ASCII_BYTES_MAX = 512 * 1024 };

/* block: one that header_is_sendable allows. True: out (empty before, with any maximum) holds a
 * block that is ASCII and header_is_sendable. A field that was ASCII is unchanged, every other one
 * decodes to what it was; lines with encoded words have at most 76 characters, unless an ASCII word
 * beside them is longer. False: *fault_out names the field and the reason, and the content of out
 * is useless. */
bool header_to_ascii(struct str block, struct buf *out, struct header_fault *fault_out) MUST_USE;

#endif

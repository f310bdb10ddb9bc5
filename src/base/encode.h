/*
 * encode: base64 (RFC 4648 section 4, canonical only), hex, and xtext (RFC 3461 section 4).
 * Decoders are total and strict: they answer false and leave the output as it was.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/buf.h"

bool encode_base64(struct buf *out, struct str in);
/* Refuses any foreign character, wrong padding, and trailing bits that are not zero. */
bool decode_base64(struct buf *out, struct str in) MUST_USE;

bool encode_hex(struct buf *out, struct str in);

/* RFC 3461 section 4.  Refuses lower-case or cut hexchars and bytes that xtext does not allow. */
bool decode_xtext(struct buf *out, struct str in) MUST_USE;

#endif

/*
 * encode: base64 (RFC 4648 section 4, canonical only), hex, xtext (RFC 3461 section 4), and words
 * of a shell command.
 *
 * Decoders accept any input and are strict: on bad input they return false and leave the output
 * unchanged.  Encoders return false when the output is full.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/buf.h"

/* Writes the bytes in base64, with padding. */
bool encode_base64(struct buf *out, struct str in);
/* Rejects any foreign character, wrong padding, and trailing bits that are not zero. */
bool decode_base64(struct buf *out, struct str in) MUST_USE;

/* Writes the bytes in hex. */
bool encode_hex(struct buf *out, struct str in);

/* RFC 3461 section 4.  Rejects lower-case or incomplete hexchars and bytes that xtext does not
 * allow. */
bool decode_xtext(struct buf *out, struct str in) MUST_USE;

/* One word of a command that is shown to an administrator: unchanged where the shell reads it so,
 * else in single quotes. */
bool encode_shell_word(struct buf *out, struct str in);

#endif

/*
 * encoded_word: encoded words (RFC 2047), decoded as far as is needed to judge what they show.
 */
#ifndef MAIL_ENCODED_WORD_H
#define MAIL_ENCODED_WORD_H

#include "base/buf.h"

/* Takes the encoded word that *rest begins with ("=?...") off its front and adds what it shows to
 * out: ASCII characters as they are, UTF-8 as its octets (whole characters may be divided between
 * two words), every other character as U+FFFD.  NULL, or why it cannot be judged: a phrase, and
 * *rest is as it was. */
const char *encoded_word_take(struct str *rest, struct buf *out) MUST_USE;

/* The whole of s has the form of one encoded word, in whatever character set: ASCII, that is. */
bool encoded_word_is(struct str s) MUST_USE;

#endif

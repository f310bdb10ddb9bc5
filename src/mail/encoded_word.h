/*
 * encoded_word: decodes encoded words (RFC 2047) as far as is necessary to judge what they show.
 */
#ifndef MAIL_ENCODED_WORD_H
#define MAIL_ENCODED_WORD_H

#include "base/buf.h"

/* Takes the encoded word at the front of *rest ("=?...") off and adds what it shows to out: ASCII
 * characters unchanged, UTF-8 as its octets (a character may be divided between two words), every
 * other character as U+FFFD. NULL, or a phrase that states why it cannot be judged; then *rest is
 * unchanged. */
const char *encoded_word_take(struct str *rest, struct buf *out) MUST_USE;

/* Whether s is ASCII and has the form of exactly one encoded word, in any character set. */
bool encoded_word_is(struct str s) MUST_USE;

#endif

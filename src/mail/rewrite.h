/*
 * rewrite: the header as it is sent, from its fields: the trace is put on top (RFC 5321 section
 * 4.4), and the result is checked once more.
 */
#ifndef MAIL_REWRITE_H
#define MAIL_REWRITE_H

#include "mail/header_origin.h"

/* Writes the header without the empty line to out, which is empty: Received, then the fields. code
 * 250, or 552 5.3.4 (out is too small), 554 5.6.0 (the result is not header_is_sendable). */
struct smtp_status rewrite_header(
    const struct header *h, const struct header_origin *o, struct buf *out);

#endif

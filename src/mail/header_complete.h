/*
 * header_complete: the repairs that a submission server makes in a header (RFC 6409 section 8): it
 * adds missing fields, removes fields that must not be sent, completes unqualified addresses, and
 * corrects faults of form; all other bytes are unchanged.
 */
#ifndef MAIL_HEADER_COMPLETE_H
#define MAIL_HEADER_COMPLETE_H

#include "mail/header_policy.h"

enum { HEADER_COMPLETE_BYTES_MAX = HEADER_BYTES_MAX + 8192 };

/* h: a header that header_policy_check allows for this origin, with these authors. *out has the new
 * fields; they are views into the block of h and into the arena. False: they have more than
 * HEADER_COMPLETE_BYTES_MAX octets. */
bool header_complete(const struct header *h, const struct header_origin *o,
    const struct header_authors *authors, struct arena *arena, struct header *out) MUST_USE;

#endif

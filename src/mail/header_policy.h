/*
 * header_policy: whether a login may submit a message with this header. It changes nothing.
 */
#ifndef MAIL_HEADER_POLICY_H
#define MAIL_HEADER_POLICY_H

#include "mail/header_origin.h"

enum { HEADER_POLICY_RECEIVED_MAX = 50 };

/* What the originator fields say; after 550, `from` is the address that may not be used. */
struct header_authors {
	struct str from; /* first From address, complete; else the sender that becomes it */
	size_t from_count;
	bool has_unqualified; /* an address has no domain */
};

/* Checks the fields in their order; the first fault is reported. code 250, or the refusal:
 * 550 5.7.1 (an address in From, Sender, Resent-From or Resent-Sender that the user may not use,
 * also one that is only shown, see display_name.h; both addresses are in the text), 554 5.6.0 (From
 * cannot be parsed; no From, and no envelope sender to make one of; a field is repeated that is
 * allowed once; a control character in a field that is parsed here), 554 5.4.6 (more than 50
 * Received), 554 5.6.7 (UTF-8 without SMTPUTF8). Texts of *out are in the arena; it is empty after
 * another refusal than 550. */
struct smtp_status header_policy_check(const struct header *h, const struct header_origin *o,
    struct arena *arena, struct header_authors *out);

/* Whether the domain of the origin belongs after this address. */
bool header_policy_is_unqualified(const struct header_origin *o, const struct header_address *a);

#endif

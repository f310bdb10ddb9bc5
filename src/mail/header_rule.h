/*
 * header_rule: what submission does with each field of a header, by its name. header_policy and
 * header_complete carry it out.
 */
#ifndef MAIL_HEADER_RULE_H
#define MAIL_HEADER_RULE_H

#include "mail/header.h"

enum header_rule_flag {
	HEADER_RULE_REMOVE = 1,
	HEADER_RULE_COMPLETE = 2,   /* an address list: unqualified addresses get the domain */
	HEADER_RULE_ORIGINATOR = 4, /* the user must be allowed to use every address in it */
	HEADER_RULE_ONCE = 8,    /* a second field is refused (RFC 5322 section 3.6); Bcc is removed
	                            anyway */
	HEADER_RULE_SINGLE = 16, /* holds exactly one address */
	HEADER_RULE_RESENT = 32,
	HEADER_RULE_NEEDS_VALUE = 64,   /* without a value it counts as missing */
	HEADER_RULE_AUTH_RESULTS = 128, /* removed when it may have our name */
	HEADER_RULE_PARSED = 256,       /* a control character in it is refused, not repaired */
};

/* The fields that a message should have, or may have once. */
enum header_kind {
	HEADER_OTHER,
	HEADER_FROM,
	HEADER_SENDER,
	HEADER_DATE,
	HEADER_MESSAGE_ID,
	HEADER_RECEIVED,
	HEADER_RESENT_DATE,
	HEADER_RESENT_MESSAGE_ID,
	HEADER_RESENT_FROM,
	HEADER_TO,
	HEADER_CC,
	HEADER_REPLY_TO,
	HEADER_SUBJECT,
	HEADER_IN_REPLY_TO,
	HEADER_REFERENCES
};

struct header_rule {
	struct str name;
	unsigned flags;
	enum header_kind kind;
};

/* The rule for a field of this name; one without flags when the name has none. */
const struct header_rule *header_rule_of(const struct header_field *f);
/* The bit of this rule among all, to note which were met; 0 for a name without a rule. */
unsigned header_rule_bit(const struct header_rule *rule);
/* Whether the field is not passed on and counts as missing: it has no value but needs one, or holds
 * authentication results that may be in the name of this host. */
bool header_rule_ignores(
    const struct header_rule *rule, const struct header_field *f, struct str hostname);

#endif

/*
 * mail_address: mailboxes of RFC 5321 section 4.1.2 with RFC 6531's UTF-8, and the paths of MAIL
 * and RCPT.  An address is kept exactly as it was written (quoted stays quoted); comparison sees
 * through quoting that was not needed and through the case of the domain.
 */
#ifndef MAIL_MAIL_ADDRESS_H
#define MAIL_MAIL_ADDRESS_H

#include "base/arena.h"

enum { MAIL_ADDRESS_LOCAL_MAX = 64, MAIL_ADDRESS_DOMAIN_MAX = 255, MAIL_ADDRESS_MAX = 320 };

struct mail_address {
	struct str text;   /* as it stands between < and >, without a source route; empty: <> */
	struct str local;  /* within text; quotes included */
	struct str domain; /* within text; empty for <postmaster> */
	bool is_literal;   /* the domain is an address literal, in brackets */
	bool is_utf8;      /* holds octets above 127: needs SMTPUTF8 */
};

/* A whole Mailbox ("a@b", "\"a b\"@b", "a@[192.0.2.1]").  *why_out (may be NULL): what is wrong,
 * a sentence for the reply. */
bool mail_address_parse(struct str text, struct mail_address *out, const char **why_out) MUST_USE;

/* What an envelope may hold as an address: a Mailbox, or the postmaster of a configuration, whose
 * local part may also have dots at its ends or in a row.  Nothing in it can end a path or a
 * command. */
bool mail_address_is_storable(struct str text);

/* Takes a path in angle brackets off the front of *rest: <>, <a@b>, <@x,@y:a@b> (the source route
 * is dropped, RFC 5321 appendix C), and <postmaster>, which has no domain. */
bool mail_address_path(struct str *rest, struct mail_address *out, const char **why_out) MUST_USE;

/* A domain by RFC 5321 (letters, digits, hyphens between dots, labels of 1..63), or UTF-8
 * labels. */
bool mail_address_is_domain(struct str domain);
/* [192.0.2.1], [IPv6:...], brackets included, value checked. */
bool mail_address_is_literal(struct str domain);

/* The same mailbox for policy: domain without case, local part unquoted and, ASCII, without
 * case. */
bool mail_address_same(const struct mail_address *a, const struct mail_address *b);

#endif

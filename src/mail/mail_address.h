/*
 * mail_address: mailboxes (RFC 5321 section 4.1.2, with UTF-8 by RFC 6531), and the paths of MAIL
 * and RCPT. An address is stored exactly as it was written (quoted stays quoted); comparison
 * ignores unnecessary quoting and the case of the domain.
 */
#ifndef MAIL_MAIL_ADDRESS_H
#define MAIL_MAIL_ADDRESS_H

#include "base/arena.h"

enum { MAIL_ADDRESS_LOCAL_MAX = 64, MAIL_ADDRESS_DOMAIN_MAX = 255, MAIL_ADDRESS_MAX = 320 };

struct mail_address {
	struct str text;   /* between < and >, without a source route; empty: <> */
	struct str local;  /* part of text; quotes included */
	struct str domain; /* part of text; empty for <postmaster> */
	bool is_literal;   /* the domain is an address literal, in brackets */
	bool is_utf8;      /* holds octets above 127: needs SMTPUTF8 */
};

/* Parses a complete Mailbox ("a@b", "\"a b\"@b", "a@[192.0.2.1]"). *why_out (may be NULL): the
 * fault, a phrase for the reply. */
bool mail_address_parse(struct str text, struct mail_address *out, const char **why_out) MUST_USE;

/* Whether an envelope may hold this address: a Mailbox, or the postmaster of a configuration, whose
 * local part may also have dots at its ends or in a row. Nothing in it can end a path or a
 * command. */
bool mail_address_is_storable(struct str text);

/* Takes a path in angle brackets off the front of *rest: <>, <a@b>, <@x,@y:a@b> (the source route
 * is dropped, RFC 5321 appendix C), and <postmaster>, which has no domain. */
bool mail_address_path(struct str *rest, struct mail_address *out, const char **why_out) MUST_USE;

/* A domain by RFC 5321 (letters, digits, hyphens between dots, labels of 1..63), or one with UTF-8
 * labels. */
bool mail_address_is_domain(struct str domain);
/* An address literal, brackets included: [192.0.2.1], [IPv6:...]; its value is checked. */
bool mail_address_is_literal(struct str domain);

/* Whether both are the same mailbox for policy: the case of the domain, the quoting of the local
 * part and the case of its ASCII letters are ignored. */
bool mail_address_same(const struct mail_address *a, const struct mail_address *b);

#endif

/*
 * display_name: what the fields that say who wrote or sent (From, Sender, Resent-From,
 * Resent-Sender) show beside their addresses.  A program may decode before it parses, and a person
 * reads the name and not the address: neither may see an address that is not the login's.
 */
#ifndef MAIL_DISPLAY_NAME_H
#define MAIL_DISPLAY_NAME_H

#include "mail/header.h"

/* May this login use the address?  `address` is complete. */
typedef bool display_name_may_fn(const struct mail_address *address, void *arg);

struct display_name {
	struct str field; /* the field's name and the login, for the refusal */
	struct str user;
	display_name_may_fn *may;
	void *may_arg;
	struct arena *arena;
};

/* body was read by header_addresses, with this result.  code 250, or a refusal:
 * 554 5.6.0: an encoded word that is not whole, is in a character set that is not known, or shows a
 * control character, a line end, an angle bracket or malformed UTF-8; 550 5.7.1: an address that
 * the login may not use, *shown_out (arena).  In a name with an encoded word, or with characters
 * beyond ASCII (header_to_ascii makes encoded words of it), that is any "@" between two words; in
 * an ASCII name one that is the whole name or stands in angle brackets, or
 * several such, when the domain has a dot; punctuation around it does not count.  Commas, quotes
 * and other signs pass. */
struct smtp_status display_name_check(const struct display_name *d, struct str body,
    const struct header_address *list, size_t count, struct str *shown_out);

#endif

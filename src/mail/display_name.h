/*
 * display_name: the text that the originator fields (From, Sender, Resent-From, Resent-Sender) show
 * beside their addresses. Some programs decode before they parse, and people read the name instead
 * of the address: neither may find an address there that the login may not use.
 */
#ifndef MAIL_DISPLAY_NAME_H
#define MAIL_DISPLAY_NAME_H

#include "mail/header.h"

/* Whether this login may use the address; `address` is complete. */
typedef bool display_name_may_fn(const struct mail_address *address, void *arg);

struct display_name {
	struct str field; /* the field's name and the login, for the refusal */
	struct str user;
	display_name_may_fn *may;
	void *may_arg;
	struct arena *arena;
};

/* body was parsed by header_addresses, with this result. code 250, or a refusal. 554 5.6.0: an
 * encoded word that is incomplete, is in an unknown character set, or shows a control character, a
 * line end, an angle bracket or malformed UTF-8. 550 5.7.1: an address that the login may not use,
 * in *shown_out (arena). In a name with an encoded word, or with characters beyond ASCII
 * (header_to_ascii makes encoded words of it), every "@" between two words counts as an address; in
 * an ASCII name, only one that is the whole name or is in angle brackets, or several such, when the
 * domain has a dot; punctuation around it is ignored. Commas, quotes and other signs are
 * allowed. */
struct smtp_status display_name_check(const struct display_name *d, struct str body,
    const struct header_address *list, size_t count, struct str *shown_out);

#endif

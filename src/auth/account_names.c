/*
 * account_names: knows the grammar of names and the configured domains; what is stored it learns
 * only from the function that the caller gives. A name without a domain is looked up as written
 * first, and completed only when no such account exists. When the second look-up breaks, the
 * identity is again what the client gave.
 */
#include "auth/account_names.h"

#include "conf/login_name.h"
#include "mail/mail_address.h"

enum { DOMAINS_LISTED_MAX = 10 };

struct account_names_range {
	uint32_t first, last;
};

/* Unicode 15, category Z without U+2028 and U+2029. */
static const struct account_names_range blanks[] = {{0x20, 0x20}, {0xa0, 0xa0}, {0x1680, 0x1680},
    {0x2000, 0x200a}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};

static bool
account_names_is_blank(uint32_t c)
{
	for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++)
		if (c >= blanks[i].first && c <= blanks[i].last)
			return true;
	return false;
}

/* True: the name contains a blank or an invisible character. The name must be valid UTF-8. */
static bool
account_names_has_invisible(struct str name)
{
	while (name.n) {
		uint32_t c;
		size_t step = str_utf8_character(name, &c);

		if (char_is_unseen(c) || account_names_is_blank(c))
			return true;
		name = str_from(name, step);
	}
	return false;
}

static void
account_names_list_domains(const struct conf *c, struct buf *why)
{
	size_t listed =
	    c->domains.count < DOMAINS_LISTED_MAX ? c->domains.count : DOMAINS_LISTED_MAX;

	buf_addz(
	    why, c->domains.count == 1 ? "the configured domain is" : "configured domains are");
	for (size_t i = 0; i < listed; i++)
		buf_addf(why, "%s %.*s", i ? "," : "", STR_ARG(c->domains.item[i].name));
	if (listed < c->domains.count)
		buf_addf(why, " and %zu more", c->domains.count - listed);
}

bool
account_names_may_add(const struct conf *c, struct str name, struct buf *why)
{
	struct str domain = login_name_own_domain(name);
	struct mail_address address;
	const char *fault = NULL;

	if (!str_is_utf8(name) || account_names_has_invisible(name)) {
		buf_addz(why, "a login name has no blanks and no control characters");
		return false;
	}
	if (!str_has(name, '@')) {
		buf_addf(why, "%.*s has no domain, and auth.default_domain is not set; ",
		    STR_ARG(name));
		account_names_list_domains(c, why);
		return false;
	}
	if (!mail_address_parse(name, &address, &fault)) {
		buf_addf(why, "%.*s is not a mail address: %s", STR_ARG(name), fault);
		return false;
	}
	if (login_name_is_covered(c, name))
		return true;
	buf_addf(why, "%.*s: the domain %.*s is not configured; ", STR_ARG(name), STR_ARG(domain));
	account_names_list_domains(c, why);
	return false;
}

enum accounts_result
account_names_find(account_names_look_up_fn *look_up, void *store, struct str domain,
    struct claimed_identity *identity, struct account *out)
{
	bool has_domain = str_has(claimed_name(identity), '@');
	enum accounts_result found = look_up(store, claimed_name(identity), out);
	struct claimed_identity original = *identity;

	if (!has_domain && found != ACCOUNTS_NONE)
		return found;
	if (!claimed_complete(identity, domain) || has_domain)
		return found;
	found = look_up(store, claimed_name(identity), out);
	if (found == ACCOUNTS_BROKEN)
		*identity = original;
	return found;
}

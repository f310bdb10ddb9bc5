/*
 * account_names: see the header.
 */
#include "auth/account_names.h"

#include "conf/login_name.h"
#include "mail/mail_address.h"

enum { DOMAINS_TOLD_MAX = 10 };

struct naming_range {
	uint32_t first, last;
};

/* Unicode 15, category Z but for U+2028 and U+2029. */
static const struct naming_range blanks[] = {{0x20, 0x20}, {0xa0, 0xa0}, {0x1680, 0x1680},
    {0x2000, 0x200a}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};

static bool
naming_is_blank(uint32_t c)
{
	for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++)
		if (c >= blanks[i].first && c <= blanks[i].last)
			return true;
	return false;
}

/* name: UTF-8. */
static bool
naming_has_unseen(struct str name)
{
	while (name.n) {
		uint32_t c;
		size_t step = str_utf8_character(name, &c);

		if (char_is_unseen(c) || naming_is_blank(c))
			return true;
		name = str_from(name, step);
	}
	return false;
}

static void
naming_tell_domains(const struct conf *c, struct buf *why)
{
	size_t told = c->domains.count < DOMAINS_TOLD_MAX ? c->domains.count : DOMAINS_TOLD_MAX;

	buf_addz(
	    why, c->domains.count == 1 ? "the configured domain is" : "configured domains are");
	for (size_t i = 0; i < told; i++)
		buf_addf(why, "%s %.*s", i ? "," : "", STR_ARG(c->domains.item[i].name));
	if (told < c->domains.count)
		buf_addf(why, " and %zu more", c->domains.count - told);
}

bool
naming_may_add(const struct conf *c, struct str name, struct buf *why)
{
	struct str domain = login_name_own_domain(name);
	struct address address;
	const char *fault = NULL;

	if (!str_is_utf8(name) || naming_has_unseen(name)) {
		buf_addz(why, "a login name has no blanks and no control characters");
		return false;
	}
	if (!str_has(name, '@')) {
		buf_addf(why, "%.*s has no domain, and auth.default_domain is not set; ",
		    STR_ARG(name));
		naming_tell_domains(c, why);
		return false;
	}
	if (!address_parse(name, &address, &fault)) {
		buf_addf(why, "%.*s is not a mail address: %s", STR_ARG(name), fault);
		return false;
	}
	if (login_name_is_covered(c, name))
		return true;
	buf_addf(why, "%.*s: the domain %.*s is not configured; ", STR_ARG(name), STR_ARG(domain));
	naming_tell_domains(c, why);
	return false;
}

enum accounts_result
naming_find(naming_look_up_fn *look_up, void *store, struct str domain, struct claim *claim,
    struct account *out)
{
	bool is_whole = str_has(claim_name(claim), '@');
	enum accounts_result found = look_up(store, claim_name(claim), out);
	struct claim said = *claim;

	if (!is_whole && found != ACCOUNTS_NONE)
		return found;
	if (!claim_complete(claim, domain) || is_whole)
		return found;
	found = look_up(store, claim_name(claim), out);
	if (found == ACCOUNTS_BROKEN)
		*claim = said;
	return found;
}

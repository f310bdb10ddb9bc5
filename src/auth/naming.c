/*
 * naming: see the header.
 */
#include "auth/naming.h"

#include "base/mem.h"
#include "conf/login_name.h"
#include "mail/address.h"

enum { DOMAINS_TOLD_MAX = 10 };

struct naming_range {
	uint32_t first, last;
};

/* Controls, blanks, and what is written without being seen: Unicode 15, categories Cc and Z, and
 * the marks of direction and width of Cf. */
static const struct naming_range unseen[] = {
    {0x00, 0x20}, {0x7f, 0xa0}, {0xad, 0xad}, {0x61c, 0x61c}, {0x1680, 0x1680}, {0x180e, 0x180e},
    {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000}, {0xfeff, 0xfeff},
    {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};

/* Takes one character off text that is UTF-8. */
static uint32_t
naming_character(struct str *rest)
{
	unsigned char first = (unsigned char)rest->p[0];
	size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? first : first & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)rest->p[i] & 0x3f);
	*rest = str_from(*rest, n);
	return c;
}

static bool
naming_has_unseen(struct str name)
{
	while (name.n) {
		uint32_t c = naming_character(&name);

		for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
			if (c >= unseen[i].first && c <= unseen[i].last)
				return true;
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

bool
naming_complete(struct accounts *accounts, const struct conf *c, struct claim *claim)
{
	enum accounts_result found = ACCOUNTS_NONE;
	struct account account;

	if (accounts && !str_has(claim_name(claim), '@'))
		found = accounts_find(accounts, claim_name(claim), &account);
	mem_wipe(&account, sizeof account);
	return found == ACCOUNTS_NONE && claim_complete(claim, login_name_domain(c));
}

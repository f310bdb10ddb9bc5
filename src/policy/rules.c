/*
 * rules: a login's addresses.  Where anything does not parse, the answer is no.
 */
#include "policy/rules.h"

#include <string.h>

static bool
is_same_as(const struct address *address, struct str text)
{
	struct address other;

	return address_parse(text, &other, NULL) && address_same(address, &other);
}

/* user@domain, the login having no domain of its own. */
static bool
is_user_at(const struct address *address, struct str user, struct str domain)
{
	char text[ADDRESS_MAX + 1];

	if (!str_ieq(address->domain, domain) || user.n + 1 + domain.n > sizeof text)
		return false;
	memcpy(text, user.p, user.n);
	text[user.n] = '@';
	memcpy(text + user.n + 1, domain.p, domain.n);
	return is_same_as(address, str_make(text, user.n + 1 + domain.n));
}

static bool
is_own(const struct conf *c, struct str user, const struct address *address)
{
	if (str_has(user, '@'))
		return is_same_as(address, user);
	for (size_t i = 0; i < c->domains.count; i++)
		if (is_user_at(address, user, c->domains.item[i].name))
			return true;
	return false;
}

static bool
is_given(const struct conf_strs *addresses, const struct address *address)
{
	for (size_t i = 0; i < addresses->count; i++) {
		struct str pattern = addresses->str[i];
		bool is_match = str_starts(pattern, STR("*@"))
		                    ? str_ieq(address->domain, str_from(pattern, 2))
		                    : is_same_as(address, pattern);

		if (is_match)
			return true;
	}
	return false;
}

bool
rules_may_send(const struct conf *c, struct str user, const struct address *address)
{
	if (user.n == 0 || address->local.n == 0 || address->domain.n == 0)
		return false;
	if (is_own(c, user, address))
		return true;
	for (size_t i = 0; i < c->sender_policy.send_as.count; i++) {
		const struct conf_send_as *s = &c->sender_policy.send_as.item[i];

		if (str_ieq(s->user, user) && is_given(&s->addresses, address))
			return true;
	}
	return false;
}

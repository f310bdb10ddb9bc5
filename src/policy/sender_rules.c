/*
 * sender_rules: compares an address with those of a login.  What does not parse is not permitted.
 */
#include "policy/sender_rules.h"

#include <string.h>

#include "conf/list_index.h"
#include "conf/login_name.h"

static bool
is_same_as(const struct mail_address *address, struct str text)
{
	struct mail_address other;

	return mail_address_parse(text, &other, NULL) && mail_address_same(address, &other);
}

/* The address is user@domain, for a login without a domain. */
static bool
is_user_at(const struct mail_address *address, struct str user)
{
	char text[MAIL_ADDRESS_MAX + 1];
	size_t n = user.n + 1 + address->domain.n;

	if (n > sizeof text)
		return false;
	memcpy(text, user.p, user.n);
	text[user.n] = '@';
	memcpy(text + user.n + 1, address->domain.p, address->domain.n);
	return is_same_as(address, str_make(text, n));
}

static bool
is_login_address(const struct conf *c, struct str user, const struct mail_address *address)
{
	if (str_has(user, '@'))
		return is_same_as(address, user);
	return list_index_find(&c->domains_by_name, address->domain) != LIST_INDEX_NONE &&
	       is_user_at(address, user);
}

static bool
send_as_is_granted(const struct conf *c, struct str user, struct str local, struct str domain)
{
	char buffer[LIST_INDEX_KEY_MAX];
	struct str key;

	return list_index_grant_key(user, local, domain, buffer, &key) &&
	       list_index_find(&c->grants, key) != LIST_INDEX_NONE;
}

/* The address itself is permitted, without regard to subaddresses. */
static bool
is_permitted_address(const struct conf *c, struct str user, const struct mail_address *address)
{
	return is_login_address(c, user, address) ||
	       send_as_is_granted(c, user, address->local, address->domain);
}

/* Each "+" may be the separator, because a mailbox name may contain "+" as well. */
static bool
is_subaddress(const struct conf *c, struct str user, const struct mail_address *address)
{
	struct mail_address base = *address;

	if (!c->sender_policy.subaddresses || address->local.p[0] == '"')
		return false;
	for (size_t i = 1; i < address->local.n; i++) {
		base.local.n = i;
		if (address->local.p[i] == '+' && is_permitted_address(c, user, &base))
			return true;
	}
	return false;
}

bool
sender_rules_may_login_send(const struct conf *c, struct str user)
{
	return !str_has(user, '@') || login_name_is_covered(c, user);
}

bool
sender_rules_may_send(const struct conf *c, struct str user, const struct mail_address *address)
{
	if (user.n == 0 || address->local.n == 0 || address->domain.n == 0)
		return false;
	if (!sender_rules_may_login_send(c, user))
		return false;
	return is_permitted_address(c, user, address) ||
	       send_as_is_granted(c, user, STR_NULL, address->domain) ||
	       is_subaddress(c, user, address);
}

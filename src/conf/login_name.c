/*
 * login_name: has no state, and knows the configuration but no account. A name is completed in the
 * caller's room; one that has a domain already, or does not fit, is returned unchanged. The domain
 * is what follows the last "@".
 */
#include "conf/login_name.h"

#include <string.h>

#include "conf/list_index.h"

struct str
login_name_domain(const struct conf *c)
{
	if (c->auth.default_domain.n)
		return c->auth.default_domain;
	return c->domains.count == 1 ? c->domains.item[0].name : STR_NULL;
}

bool
login_name_is_ambiguous(const struct conf *c)
{
	return c->domains.count > 1 && login_name_domain(c).n == 0;
}

struct str
login_name_complete(struct str name, struct str domain, char room[LOGIN_NAME_BYTES])
{
	size_t n = name.n + 1 + domain.n;

	if (name.n == 0 || str_has(name, '@') || domain.n == 0 || n > LOGIN_NAME_BYTES)
		return name;
	memcpy(room, name.p, name.n);
	room[name.n] = '@';
	memcpy(room + name.n + 1, domain.p, domain.n);
	return str_make(room, n);
}

struct str
login_name_other(const struct conf *c, struct str written, char room[LOGIN_NAME_BYTES])
{
	return login_name_complete(written, login_name_domain(c), room);
}

bool
login_name_means(const struct conf *c, struct str written, struct str login)
{
	char room[LOGIN_NAME_BYTES];

	return str_ieq(written, login) || str_ieq(login_name_other(c, written, room), login);
}

struct str
login_name_own_domain(struct str name)
{
	size_t at = str_rfind(name, '@');

	return at < name.n ? str_from(name, at + 1) : STR_NULL;
}

bool
login_name_is_covered(const struct conf *c, struct str name)
{
	struct str domain = login_name_own_domain(name);

	return domain.n && list_index_find(&c->domains_by_name, domain) != LIST_INDEX_NONE;
}

/*
 * login_name: relates login names to the configured domains: which domain completes a name without
 * one, whether a name is in one of the domains, and which logins a written name means.
 *
 * A name that the administrator writes without a domain, in the configuration or in a filter, means
 * two logins: the account with exactly this name, which an earlier version made, and the account
 * with the name and the domain.  A name with a domain means one login.  (The auth role, which can
 * ask the account store, uses the one of the two that exists: auth/account_names.h.)
 */
#ifndef CONF_LOGIN_NAME_H
#define CONF_LOGIN_NAME_H

#include "conf/conf.h"

enum { LOGIN_NAME_BYTES = 320 };

/* The domain for names without one: auth.default_domain, else the only one of `domains`; empty:
 * there is none. */
struct str login_name_domain(const struct conf *c);

/* Are there several domains and no default?  Then a login without a domain finds no account that
 * was made in a domain. */
bool login_name_is_ambiguous(const struct conf *c);
#define LOGIN_NAME_AMBIGUOUS \
	"domains: there are several, and auth.default_domain is not set: a login without a " \
	"domain, which the only domain would complete, is refused"

/* name@domain for a name without "@", as a view of the room; the name itself when it has a domain
 * or is too long, or when domain is empty. */
struct str login_name_complete(struct str name, struct str domain, char room[LOGIN_NAME_BYTES]);

/* The same with the domain of this configuration: the other login that a written name means, or the
 * name itself. */
struct str login_name_other(
    const struct conf *c, struct str written, char room[LOGIN_NAME_BYTES]);
/* Does the written name mean this login? */
bool login_name_means(const struct conf *c, struct str written, struct str login);

/* The part behind the last "@"; empty: there is none. */
struct str login_name_own_domain(struct str name);

/* Does the name have a domain that is one of `domains`? */
bool login_name_is_covered(const struct conf *c, struct str name);

#endif

/*
 * login_name: a login name and the configured domains: which domain completes a name that has none,
 * whether a name is in one of them, and whom a written name means.
 *
 * A name that the administrator writes without its domain, in the configuration or in a filter,
 * means two logins: the account of exactly this name, which a former version made, and that of the
 * name with the domain.  A whole name means one login.  (auth, which can ask the account store,
 * means the one of both that there is: auth/account_names.h.)
 */
#ifndef CONF_LOGIN_NAME_H
#define CONF_LOGIN_NAME_H

#include "conf/conf.h"

enum { LOGIN_NAME_BYTES = 320 };

/* The domain of names without one: auth.default_domain, else the only one of `domains`; empty:
 * there is none. */
struct str login_name_domain(const struct conf *c);

/* There are several domains, and none of them is that one: logins without a domain find no account
 * that was made in one. */
bool login_name_is_ambiguous(const struct conf *c);
#define LOGIN_NAME_AMBIGUOUS \
	"domains: there are several, and auth.default_domain is not set: a login without a " \
	"domain, which the only domain would complete, is refused"

/* name@domain for a name without "@", a view of the room; the name itself when it has one or is too
 * long, or when there is no domain for it. */
struct str login_name_complete(struct str name, struct str domain, char room[LOGIN_NAME_BYTES]);

/* The same with the domain of this configuration: the other login that a written name means, or the
 * name itself. */
struct str login_name_other(
    const struct conf *c, struct str written, char room[LOGIN_NAME_BYTES]);
bool login_name_means(const struct conf *c, struct str written, struct str login);

/* What stands behind the last "@"; empty: nothing. */
struct str login_name_own_domain(struct str name);

/* The name has a domain, and it is one of `domains`. */
bool login_name_is_covered(const struct conf *c, struct str name);

#endif

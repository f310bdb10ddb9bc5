/*
 * login_name: a login name and the configured domains: which domain completes a name that has none,
 * and whether a name is in one of them.  Everybody who compares a login name with one of the
 * configuration (limits, send_as) compares whole names.
 */
#ifndef CONF_LOGIN_NAME_H
#define CONF_LOGIN_NAME_H

#include "conf/conf.h"

enum { LOGIN_NAME_BYTES = 320 };

/* The domain of names without one: auth.default_domain, else the only one of `domains`; empty:
 * there is none. */
struct str login_name_domain(const struct conf *c);

/* name@domain for a name without "@", a view of the room; the name itself when it has one or is too
 * long, or when there is no domain for it. */
struct str login_name_complete(struct str name, struct str domain, char room[LOGIN_NAME_BYTES]);

/* What stands behind the last "@"; empty: nothing. */
struct str login_name_own_domain(struct str name);

/* The name has a domain, and it is one of `domains`. */
bool login_name_is_covered(const struct conf *c, struct str name);

#endif

/*
 * last_login: when, from where and how each login succeeded last, for `user show`.  In memory: the
 * log is the history, and a write for each login would be another sync.  Names are those of
 * accounts, so there are no more entries than accounts; the owner forgets those that are removed.
 */
#ifndef AUTH_LAST_LOGIN_H
#define AUTH_LAST_LOGIN_H

#include "base/str.h"

struct last_login {
	int64_t at_ms; /* clock_ms */
	char client[48];
	char mechanism[24];
};

struct last_logins;

struct last_logins *last_logins_new(void);
void last_logins_free(struct last_logins **all);

/* login: canonical. */
void last_logins_put(
    struct last_logins *all, struct str login, struct str client, struct str mechanism);
/* NULL: none since this began; valid until the next call. */
const struct last_login *last_logins_get(const struct last_logins *all, struct str login);
void last_logins_forget(struct last_logins *all, struct str login);
/* Since when they are noted, as clock_ms. */
int64_t last_logins_since_ms(const struct last_logins *all);

#endif

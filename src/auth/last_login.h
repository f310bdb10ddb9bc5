/*
 * last_login: when, from where and with which mechanism each login succeeded last, for `user show`.
 * It is only in memory: the log has the history, and a write for each login would be another sync.
 * The names are those of accounts, so there are never more entries than accounts; the owner removes
 * those of removed accounts.
 */
#ifndef AUTH_LAST_LOGIN_H
#define AUTH_LAST_LOGIN_H

#include "base/str.h"

struct last_login {
	int64_t at_ms; /* as clock_ms */
	char client[48];
	char mechanism[24];
};

struct last_logins;

/* An empty table that begins now; last_logins_free sets *all to NULL. */
struct last_logins *last_logins_new(void);
void last_logins_free(struct last_logins **all);

/* Records a success. login: canonical. */
void last_logins_put(
    struct last_logins *all, struct str login, struct str client, struct str mechanism);
/* NULL: no success since the start; the result is valid until the next call. */
const struct last_login *last_logins_get(const struct last_logins *all, struct str login);
/* For an account that is removed. */
void last_logins_forget(struct last_logins *all, struct str login);
/* The time from which successes are recorded, as clock_ms. */
int64_t last_logins_since_ms(const struct last_logins *all);

#endif

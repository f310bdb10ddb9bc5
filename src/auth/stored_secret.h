/*
 * stored_secret: the secret that a login is checked against: that of the account, or one that
 * matches no password, made in the same steps for every name.
 */
#ifndef AUTH_STORED_SECRET_H
#define AUTH_STORED_SECRET_H

#include "auth/auth_session.h"

/* Fills s->secret; false: the store cannot be used. An unknown name shows an iteration count that
 * accounts have, a suspended account its own. */
bool stored_secret_choose(struct auth_session *s) MUST_USE;
/* A password or suspension that changed during the check counts already: ACCOUNTS_NONE if the
 * account is now not the one that was checked. */
enum accounts_result stored_secret_check_again(const struct auth_session *s) MUST_USE;

#endif

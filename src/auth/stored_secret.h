/*
 * stored_secret: what a login is checked against: the account's secret, or one that nothing fits,
 * made in the same steps for every name.
 */
#ifndef AUTH_STORED_SECRET_H
#define AUTH_STORED_SECRET_H

#include "auth/auth_session.h"

/* Fills l->secret; false: the store is broken. An unknown name shows a count of iterations that
 * accounts have, a suspended one its own. */
bool stored_secret_choose(struct auth_session *s) MUST_USE;
/* A password or suspension that changed while a worker or the client was at work counts already:
 * ACCOUNTS_NONE when the account as it is now is not the one that was checked. */
enum accounts_result stored_secret_check_again(const struct auth_session *s) MUST_USE;

#endif

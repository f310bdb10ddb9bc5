/*
 * stored_secret: the secret that a login is checked against: that of the account, or one that
 * matches no password, which the back end makes in the same steps for every name.
 */
#ifndef AUTH_STORED_SECRET_H
#define AUTH_STORED_SECRET_H

#include "auth/auth_session.h"

/* Takes what was found into the session: its name and its secret. False: the back end cannot say
 * what the account is. */
bool stored_secret_take(
    struct auth_session *s, const struct auth_backend_account *found) MUST_USE;
/* A password or suspension that changed during the check counts already: AUTH_BACKEND_NONE if the
 * account is now not the one that was checked. */
enum auth_backend_result stored_secret_compare(
    const struct auth_session *s, const struct auth_backend_account *found) MUST_USE;

#endif

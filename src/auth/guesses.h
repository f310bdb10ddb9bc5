/*
 * guesses: what a refused login counts as, and when no further one is looked at.  Counted are the
 * client's network, the login, and, where the login is usual, the login at this place
 * (usual_networks.h); the same wrong password of a login counts once.  Nothing here answers or ends
 * a login.
 */
#ifndef AUTH_GUESSES_H
#define AUTH_GUESSES_H

#include "auth/auth_session.h"

struct guesses_counted {
	bool is_new;      /* it was counted */
	int64_t delay_ms; /* of the answer */
};

enum guesses_limit {
	GUESSES_WITHIN_LIMITS,
	GUESSES_BLOCKED_NETWORK, /* by the operator, */
	GUESSES_BLOCKED_USER,    /* see blocklist.h */
	GUESSES_NETWORK, /* its network has failed too often, and the login is not usual there */
	GUESSES_LOGIN_AT_NETWORK, /* the login is usual there, and has failed too often from there
	                           */
	GUESSES_LOGIN, /* the login was guessed too often from everywhere, and is new there */
};

struct guesses_counted guesses_count(const struct auth_session *s);
/* From now on the login is usual there. */
void guesses_note_success(const struct auth_session *s);
/* It is refused by that limit: whoever lists blocks sees it. */
void guesses_note_refused(const struct auth_session *s, enum guesses_limit limit);
/* Before its name is known a login is within the limits. */
enum guesses_limit guesses_limit(const struct auth_session *s) MUST_USE;

#endif

/*
 * guesses: what a failed login is counted as, and when further logins are refused unchecked.
 * Counted are the client's network, the login, and, where the login is usual, the login at this
 * network (usual_networks.h); the same wrong password of a login counts once. Nothing here answers
 * or ends a login.
 */
#ifndef AUTH_GUESSES_H
#define AUTH_GUESSES_H

#include "auth/auth_session.h"

struct guesses_counted {
	bool is_new;      /* it was counted now */
	int64_t delay_ms; /* of the answer */
};

enum guesses_limit {
	GUESSES_WITHIN_LIMITS,
	/* blocked by an operator, see blocklist.h */
	GUESSES_BLOCKED_NETWORK,
	GUESSES_BLOCKED_USER,
	GUESSES_NETWORK, /* the network has failed too often, and the login is not usual there */
	/* the login is usual there, and has failed too often from there */
	GUESSES_LOGIN_AT_NETWORK,
	/* the login has failed too often over all networks, and is not usual there */
	GUESSES_LOGIN,
};

/* Counts a failed login, unless it is a test, from an exempt network, or counted already. */
struct guesses_counted guesses_count(const struct auth_session *s);
/* The login succeeded: from now on it is usual at its network. */
void guesses_note_success(const struct auth_session *s);
/* The login is refused by that limit: records it for `block list`. */
void guesses_note_refused(const struct auth_session *s, enum guesses_limit limit);
/* The block or limit that refuses the login now. While the user name is not known there is none. */
enum guesses_limit guesses_limit(const struct auth_session *s) MUST_USE;

#endif

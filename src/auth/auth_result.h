/*
 * auth_result: how a step of a login is answered: the answer to submission, the log line, and the
 * count as a failure. All functions but auth_result_challenge end the session (auth_result_fail
 * after its delay): the caller must not use it afterwards.
 */
#ifndef AUTH_AUTH_RESULT_H
#define AUTH_AUTH_RESULT_H

#include "auth/auth_session.h"

/* Sends a challenge (334); the session then waits in state `next`. */
void auth_result_challenge(
    struct auth_session *s, enum auth_session_state next, struct str challenge);
/* Answers 235. from_cache: the password was in the cache. */
void auth_result_ok(struct auth_session *s, bool from_cache);
/* Answers 535, counted as a failure, after the delay. s->reason NULL: bad credentials. */
void auth_result_fail(struct auth_session *s);
/* Answers 454: it cannot be said whether the credentials are right. Never counted as a failure. */
void auth_result_tempfail(struct auth_session *s, const char *reason);
/* Answers 501. */
void auth_result_malformed(struct auth_session *s);
/* The client cancelled the exchange: nothing is counted; there is a log line and no answer. */
void auth_result_cancelled(struct auth_session *s);
/* Answers 504: the mechanism is not offered. */
void auth_result_unknown_mechanism(struct auth_session *s);
/* Called before credentials are checked, and again before the result is sent. True: a block or a
 * limit refuses the login, and the session has ended. 421: the client's network has failed too
 * often, or, if the login succeeded lately from there, this login has failed too often from there;
 * submission then closes the connection. 454: this login failed too often over all networks, and
 * has not succeeded lately from this network. */
bool auth_result_is_refused(struct auth_session *s) MUST_USE;

#endif

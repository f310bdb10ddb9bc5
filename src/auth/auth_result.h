/*
 * auth_result: how a login goes on or ends: the answer, its line in the log, the failure it counts
 * as. All but auth_result_challenge end the login (auth_result_fail after its delay): it must not
 * be touched again.
 */
#ifndef AUTH_AUTH_RESULT_H
#define AUTH_AUTH_RESULT_H

#include "auth/auth_session.h"

void auth_result_challenge(
    struct auth_session *s, enum auth_session_state next, struct str challenge);
void auth_result_ok(struct auth_session *s, bool from_cache);
/* 535, counted, and late.  l->reason NULL: bad credentials. */
void auth_result_fail(struct auth_session *s);
/* 454: the account may be good or bad, we cannot say; never counted. */
void auth_result_tempfail(struct auth_session *s, const char *reason);
void auth_result_malformed(struct auth_session *s);
/* The client ended it: nothing was proved and nothing counts; a line in the log, no answer. */
void auth_result_cancelled(struct auth_session *s);
void auth_result_unknown_mechanism(struct auth_session *s);
/* Before a guess is looked at, and before its result is told: true when there were too many, and
 * then the login is over. Either 421: its network has failed too often, or, where the login
 * succeeded lately, that login itself from there; the session ends. Or 454: its user's name was
 * tried too often from everywhere, and never with success from this place. */
bool auth_result_is_refused(struct auth_session *s) MUST_USE;

#endif

/*
 * auth_result: how a login goes on or ends: the answer, its line in the log, the failure it counts
 * as. All but verdict_ask end the login (verdict_no after its delay): it must not be touched again.
 */
#ifndef AUTH_AUTH_RESULT_H
#define AUTH_AUTH_RESULT_H

#include "auth/auth_session.h"

void verdict_ask(struct exchange *l, enum exchange_state next, struct str challenge);
void verdict_ok(struct exchange *l, bool from_cache);
/* 535, counted, and late.  l->reason NULL: bad credentials. */
void verdict_no(struct exchange *l);
/* 454: the account may be good or bad, we cannot say; never counted. */
void verdict_unknown(struct exchange *l, const char *reason);
void verdict_malformed(struct exchange *l);
/* The client ended it: nothing was proved and nothing counts; a line in the log, no answer. */
void verdict_cancelled(struct exchange *l);
void verdict_no_mechanism(struct exchange *l);
/* Before a guess is looked at, and before its result is told: true when there were too many, and
 * then the login is over. Either 421: its network has failed too often, or, where the login
 * succeeded lately, that login itself from there; the session ends. Or 454: its user's name was
 * tried too often from everywhere, and never with success from this place. */
bool verdict_is_refused(struct exchange *l) MUST_USE;

#endif

/*
 * account_recheck: after each new channel to auth, asks whether the users of the logged-in sessions
 * may still log in. Auth reports the suspension or removal of a user once, on the channel that
 * exists at that moment; what it reported while there was no channel is learned here. Sessions of a
 * user who may not log in any more end as they do after that report.
 */
#ifndef SUBMISSION_ACCOUNT_RECHECK_H
#define SUBMISSION_ACCOUNT_RECHECK_H

#include "submission/submission_internal.h"

struct recheck;

/* Never fails; recheck_free frees it before the connections are freed. */
struct recheck *recheck_new(struct submission *submission);
void recheck_free(struct recheck **p);
/* submission->auth is a new channel: asks again about the users of all sessions. */
void recheck_begin(struct recheck *r);

#endif

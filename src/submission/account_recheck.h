/*
 * account_recheck: after each new channel to auth, are those who are logged in still accounts that
 * may be? The word that a user was suspended or removed is said once, on the channel of that
 * moment: what was said while there was none is learned here.  Who is not any more is ended as at
 * that word.
 */
#ifndef SUBMISSION_ACCOUNT_RECHECK_H
#define SUBMISSION_ACCOUNT_RECHECK_H

#include "submission/submission_internal.h"

struct recheck;

struct recheck *recheck_new(struct submission *g);
void recheck_free(struct recheck **p);
/* g->auth is new: all are asked about again. */
void recheck_begin(struct recheck *r);

#endif

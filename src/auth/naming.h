/*
 * naming: which names a new account may have.  What is let in at a login is wider (claim.h), so
 * that accounts of former versions go on.
 */
#ifndef AUTH_NAMING_H
#define AUTH_NAMING_H

#include "auth/accounts.h"
#include "auth/claim.h"
#include "base/buf.h"
#include "conf/conf.h"

/* A mail address without blanks and controls, in one of the configured domains; what is said
 * without its domain is completed before.  False: why says what is wrong and what would be
 * right. */
bool naming_may_add(const struct conf *c, struct str name, struct buf *why) MUST_USE;

/* Completes a name without a domain, unless there is an account of exactly this name: one of a
 * former version goes on.  accounts may be NULL.  True: it was changed. */
bool naming_complete(struct accounts *accounts, const struct conf *c, struct claim *claim);

#endif

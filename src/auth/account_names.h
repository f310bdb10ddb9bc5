/*
 * account_names: which names a new account may have.  What is let in at a login is wider
 * (claimed_identity.h), so that accounts of former versions go on.
 */
#ifndef AUTH_ACCOUNT_NAMES_H
#define AUTH_ACCOUNT_NAMES_H

#include "auth/accounts.h"
#include "auth/claimed_identity.h"
#include "base/buf.h"
#include "conf/conf.h"

/* A mail address without blanks and controls, in one of the configured domains; what is said
 * without its domain is completed before.  False: why says what is wrong and what would be
 * right. */
bool account_names_may_add(const struct conf *c, struct str name, struct buf *why) MUST_USE;

typedef enum accounts_result account_names_look_up_fn(
    void *store, struct str name, struct account *out);

/* Looks up whom a claim means: the account of exactly this name (one of a former version may have
 * no domain), and only when the store has said that there is none the one of the name with the
 * domain (empty: none).  The claim bears the name that the result is about.  ACCOUNTS_BROKEN: whom
 * it means cannot be said, and the claim is as it was. */
enum accounts_result account_names_find(account_names_look_up_fn *look_up, void *store,
    struct str domain, struct claimed_identity *identity, struct account *out) MUST_USE;

#endif

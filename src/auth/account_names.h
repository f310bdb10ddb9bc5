/*
 * account_names: which names a new account may have, and which account a given name means. A login
 * accepts more names (claimed_identity.h), so that accounts of former versions keep working.
 */
#ifndef AUTH_ACCOUNT_NAMES_H
#define AUTH_ACCOUNT_NAMES_H

#include "auth/accounts.h"
#include "auth/claimed_identity.h"
#include "base/buf.h"
#include "conf/conf.h"

/* True: the name is a mail address without blanks and control characters, in one of the configured
 * domains. The caller has already completed a name without a domain. False: `why` says what is
 * wrong and what would be right. */
bool account_names_may_add(const struct conf *c, struct str name, struct buf *why) MUST_USE;

typedef enum accounts_result account_names_look_up_fn(
    void *store, struct str name, struct account *out);

/* Finds the account that a claimed identity means: first the account with exactly this name (an
 * account of a former version may have no domain), and only if the store answers that there is
 * none, the account with the name completed by the domain (empty domain: no completion). The
 * identity then has the name that the result is about. ACCOUNTS_BROKEN: the account cannot be
 * determined, and the identity is unchanged. */
enum accounts_result account_names_find(account_names_look_up_fn *look_up, void *store,
    struct str domain, struct claimed_identity *identity, struct account *out) MUST_USE;

#endif

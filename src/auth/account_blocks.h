/*
 * account_blocks: the blocks that keep one login out, by hand and by the limits of failures, as who
 * asks after the account is told of them.
 */
#ifndef AUTH_ACCOUNT_BLOCKS_H
#define AUTH_ACCOUNT_BLOCKS_H

#include "auth/broker.h"

/* Adds a value "blocked" for each: "everywhere, by root since … until …: why".  Of networks those
 * where its last login was, and those that refused or counted this login last.  Eight at most. */
void account_blocks_add(const struct broker *b, struct str user, struct buf *values);
/* Why a right password is refused wherever the login is new; NULL: it is not. */
const char *account_blocks_reason(const struct broker *b, struct str user) MUST_USE;
/* How long what a limit made still holds; 0: no longer. */
int64_t account_blocks_left_ms(const struct broker *b, const struct failure_list_entry *e) MUST_USE;
/* The key of that limit. */
const char *account_blocks_key(enum failures_of kind) MUST_USE;

#endif

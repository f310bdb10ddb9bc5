/*
 * account_blocks: the blocks that refuse one login, set by an operator or by the limits of
 * failures, as text for `user show` and `test auth`.
 */
#ifndef AUTH_ACCOUNT_BLOCKS_H
#define AUTH_ACCOUNT_BLOCKS_H

#include "auth/broker_state.h"

/* Adds one value "blocked" for each block, at most eight: "everywhere, by root since … until …:
 * why". Blocks of networks are included if the last successful login came from that network, or if
 * the last login that the block refused or counted is this one. */
void account_blocks_add(const struct broker *b, struct str user, struct buf *values);
/* The reason word for a right password that is refused wherever the login is new; NULL: it is not
 * refused. */
const char *account_blocks_reason(const struct broker *b, struct str user) MUST_USE;
/* For how long the block that a limit made still holds; 0: it has ended. */
int64_t account_blocks_left_ms(const struct broker *b, const struct failure_list_entry *e) MUST_USE;
/* The configuration key of the limit for failures of this kind. */
const char *account_blocks_key(enum failures_of kind) MUST_USE;

#endif

/*
 * account_alert: what the postmaster is told when an operator suspends an account.
 */
#ifndef AUTH_ACCOUNT_ALERT_H
#define AUTH_ACCOUNT_ALERT_H

#include "auth/broker_state.h"

/* m: the command, user.suspend; name: of the account. */
void account_alert_suspended(struct broker *b, const struct message_admin *m, struct str name);

#endif

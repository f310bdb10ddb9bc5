/*
 * account_alert: what the postmaster is told when an operator suspends an account, and, where that
 * notice is still pending, when it is resumed.
 */
#ifndef AUTH_ACCOUNT_ALERT_H
#define AUTH_ACCOUNT_ALERT_H

#include "auth/broker_state.h"

/* m: the command, user.suspend; name: of the account. */
void account_alert_suspended(struct broker *b, const struct message_admin *m, struct str name);
/* m: the command, user.resume. */
void account_alert_resumed(struct broker *b, const struct message_admin *m, struct str name);

#endif

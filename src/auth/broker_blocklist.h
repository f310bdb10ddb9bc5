/*
 * broker_blocklist: the operator's verbs on blocks: block.list, block.add, block.remove.  Listed
 * and removed are also those that the limits of failures made (failure_list.h).
 */
#ifndef AUTH_BROKER_BLOCKLIST_H
#define AUTH_BROKER_BLOCKLIST_H

#include "auth/broker.h"
#include "auth/user_admin.h"

/* At the start, and at times: while the file cannot be read whole this is the broker's trouble, and
 * it is tried again. */
void broker_blocklist_read(struct broker *b);

bool broker_blocklist_is_verb(struct str verb);
/* values: name (a network or a login), for (a duration), reason.  Rows carry what (network, user,
 * user at network), name, network (of the last), by (a user, or automatic), reason, since, until,
 * count, last_user, last_ip.  Returns enum user_admin_exit. */
uint8_t broker_blocklist_run(
    struct broker *b, const struct message_admin *m, struct user_admin_out *out) MUST_USE;

#endif

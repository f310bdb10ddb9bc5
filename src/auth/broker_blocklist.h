/*
 * broker_blocklist: the operator's commands for blocks: block.list, block.add, block.remove. They
 * also list and remove the blocks that the limits of failures made (failure_list.h).
 */
#ifndef AUTH_BROKER_BLOCKLIST_H
#define AUTH_BROKER_BLOCKLIST_H

#include "auth/broker_state.h"
#include "auth/user_admin.h"

/* Called at the start and at intervals. While the file cannot be read completely, the broker
 * reports this error in `status` and tries again. */
void broker_blocklist_read(struct broker *b);

/* True: it is one of the three commands. */
bool broker_blocklist_is_verb(struct str verb);
/* Runs one of the commands. Values: name (a network or a login), for (a duration), reason. Rows
 * have what (network, user, user at network), name, network (of the last), by (a user, or
 * automatic), reason, since, until, count, last_user, last_ip. Returns enum user_admin_exit. */
uint8_t broker_blocklist_run(
    struct broker *b, const struct message_admin *m, struct user_admin_out *out) MUST_USE;

#endif

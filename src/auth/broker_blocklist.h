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
/* The login that a command names, and whether it has an account; identity: completed if so. */
struct broker_blocklist_login {
	struct claimed_identity identity;
	enum auth_backend_result found; /* BROKEN: not known now */
};

/* True: the command is about a login, whose account is to be looked up before it runs. */
bool broker_blocklist_names_login(const struct broker *b, const struct message_admin *m,
    struct claimed_identity *login_out) MUST_USE;
/* Runs one of the commands; login is used only if it names one. Values: name (a network or a
 * login), for (a duration), reason. Rows have what (network, user, user at network), name, network
 * (of the last), by (a user, or automatic), reason, since, until, count, last_user, last_ip.
 * Returns enum user_admin_exit. */
uint8_t broker_blocklist_run(struct broker *b, const struct message_admin *m,
    const struct broker_blocklist_login *login, struct user_admin_out *out) MUST_USE;

#endif

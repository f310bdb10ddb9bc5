/*
 * broker_commands: the operator's commands that auth runs (user.*, block.*, test.auth), and the
 * question of submission which accounts are gone. What concerns accounts is done by the worker of
 * the back end, one command after the other; commands for blocks are done here, after a look-up of
 * the login where they name one. Each is answered over the channel that it came from.
 */
#ifndef AUTH_BROKER_COMMANDS_H
#define AUTH_BROKER_COMMANDS_H

#include "auth/broker_state.h"

/* Runs the command; it is answered with rows and ADMIN_DONE, perhaps later. */
void broker_commands_run(
    struct broker *b, struct channel *from, uint64_t call, const struct message_admin *m);
/* Answers AUTH_USERS_ASK, later: submission has a new channel, and messages on the former one may
 * be lost. */
void broker_commands_ask_users(
    struct broker *b, struct channel *from, uint64_t call, struct str users);
/* The channel is gone: its commands go on, since they may have changed an account already, and
 * nobody is answered. NULL: all end, at the end of the broker. */
void broker_commands_drop(struct broker *b, const struct channel *from);

#endif

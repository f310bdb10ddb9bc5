/*
 * broker_store: the account store of the broker: it is opened when it is needed, opened again after
 * an error, and exchanged for another file that is in its place.
 */
#ifndef AUTH_BROKER_STORE_H
#define AUTH_BROKER_STORE_H

#include "auth/broker_state.h"
#include "auth/user_admin.h"

/* The open store; opens it if necessary. NULL: it cannot be used (logged). */
struct accounts *broker_store(struct broker *b);
/* Shows in `status` the errors of the store and of the blocklist. */
void broker_show_trouble(const struct broker *b);
/* Starts a timer: every two seconds the broker checks whether the store is still the file in the
 * state directory; if not, it opens the other file. */
void broker_watch_store(struct broker *b);
/* True: the state directory was moved or removed while it is open, and what is stored in it would
 * be missing after a restart. Logged when it begins and ends; the message is added to text (may be
 * NULL). */
bool broker_is_directory_gone(struct broker *b, struct buf *text) MUST_USE;
/* Runs a command of user_admin.h on the store that is in the state directory now. A change is
 * reported as done only if it is in that store. Returns enum user_admin_exit. */
uint8_t broker_run_users(
    struct broker *b, const struct message_admin *m, struct user_admin_out *out) MUST_USE;
/* Called at intervals: opens a store that can be used again, without waiting for a login; logs
 * again that it still cannot be used; repeats lookups that failed. */
void broker_sweep_store(struct broker *b);
/* Looks up an account. A failed lookup says nothing about other accounts, most of which may still
 * be readable: the store is opened again, at most once a second, and stays open for them. */
enum accounts_result broker_find(struct broker *b, struct str user, struct account *out);
/* Finds the account that a claimed identity means (account_names.h). The whole result comes from
 * one store, even if the store is replaced meanwhile. */
enum accounts_result broker_find_claimed(
    struct broker *b, struct claimed_identity *identity, struct account *out);

#endif

/*
 * accounts_store: the account store as the accounts worker has it: it is opened when it is needed,
 * opened again after an error, and exchanged for another file that is in its place. The worker is
 * the only process of the daemon that has the file open.
 */
#ifndef AUTH_ACCOUNTS_STORE_H
#define AUTH_ACCOUNTS_STORE_H

#include "auth/accounts.h"
#include "auth/store_file.h"
#include "auth/user_admin.h"
#include "ipc/role.h"

enum { ACCOUNTS_STORE_DAMAGED_MAX = 16, ACCOUNTS_STORE_FAILED_MAX = 16 };

/* A damaged account that was logged. */
struct accounts_store_damaged {
	char name[CLAIMED_USER_MAX + 1];
	int64_t at_ms; /* monotonic */
};

struct accounts_store {
	struct role *role;
	char *directory;           /* its path */
	struct accounts *accounts; /* NULL: cannot be opened now */
	struct store_file store_file; /* of accounts.db */
	struct store_file_directory state_directory;
	int64_t open_after_ms; /* monotonic: the store is not opened before */
	enum accounts_absent absent; /* ACCOUNTS_MAKE: at a first start, until it was open once */
	bool is_missing; /* the store, at the last attempt to open it */
	char trouble[ACCOUNTS_ERROR_BYTES]; /* why it could not be opened or used */
	/* the same text, as logged last; empty: it can be used */
	char logged_trouble[ACCOUNTS_ERROR_BYTES];
	int64_t logged_ms; /* monotonic */
	/* Names whose last lookup failed, the newest last. */
	char failed_names[ACCOUNTS_STORE_FAILED_MAX][CLAIMED_USER_MAX + 1];
	unsigned failed_count;
	/* monotonic: they are not looked up again before, without a login */
	int64_t probe_after_ms;
	struct accounts_store_damaged damaged[ACCOUNTS_STORE_DAMAGED_MAX];
	uint64_t changes;   /* number of changes of accounts or of the store */
	uint64_t exchanges; /* how often another file became the store */
};

/* The open store; opens it if necessary. NULL: it cannot be used (logged). */
struct accounts *accounts_store_current(struct accounts_store *s);
/* Called at intervals: checks whether the store is still the file in the state directory, and opens
 * the other file if not; opens a store that can be used again, without waiting for a login; logs
 * again that it still cannot be used; repeats lookups that failed. */
void accounts_store_tick(struct accounts_store *s);
/* Runs a command of user_admin.h on the store that is in the state directory now. A change is
 * reported as done only if it is in that store. Returns enum user_admin_exit. */
uint8_t accounts_store_run(struct accounts_store *s, const struct message_admin *m,
    struct user_admin_out *out) MUST_USE;
/* Finds the account that a claimed identity means (account_names.h). The whole result comes from
 * one store, even if the store is replaced meanwhile. A failed lookup says nothing about other
 * accounts, most of which may still be readable: the store is opened again, at most once a second,
 * and stays open for them. */
enum accounts_result accounts_store_find_claimed(
    struct accounts_store *s, struct claimed_identity *identity, struct account *out);
/* What an operator can do about a store that is missing; empty: it is not. */
const char *accounts_store_advice(const struct accounts_store *s);

#endif

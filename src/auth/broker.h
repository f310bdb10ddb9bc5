/*
 * broker: the state that the files of the broker share. The role (broker.c) owns all of it; the
 * sessions (auth_session.c) use it. broker_store.c opens the account store and detects that it was
 * replaced.
 */
#ifndef AUTH_BROKER_H
#define AUTH_BROKER_H

#include "auth/accounts.h"
#include "auth/blocklist.h"
#include "auth/failure_list.h"
#include "auth/failures.h"
#include "auth/last_login.h"
#include "auth/password_cache.h"
#include "auth/store_file.h"
#include "auth/user_admin.h"
#include "auth/usual_networks.h"
#include "auth/worker_pool.h"
#include "base/map.h"
#include "ipc/role.h"

enum { BROKER_SUBMISSIONS_MAX = 64, BROKER_DAMAGED_MAX = 16, BROKER_FAILED_MAX = 16 };

/* A damaged account that was logged. */
struct broker_damaged_account {
	char name[CLAIMED_USER_MAX + 1];
	int64_t at_ms; /* monotonic */
};

struct broker {
	struct role *role;
	char *directory; /* of the store */
	int directory_fd;
	struct sandbox_path paths[2];
	struct accounts *accounts;     /* NULL: cannot be opened now */
	struct store_file store_file;  /* of accounts.db */
	char directory_path[PATH_MAX]; /* of the directory at the start; empty: not known */
	bool is_directory_gone;        /* it was moved or removed: nothing is changed in it */
	struct event *store_timer;
	int64_t open_after_ms; /* monotonic: the store is not opened before */
	enum accounts_absent absent; /* ACCOUNTS_MAKE: at a first start, until it was open once */
	bool is_missing; /* the store, at the last attempt to open it */
	char trouble[ACCOUNTS_ERROR_BYTES]; /* why it could not be opened or used */
	/* the same text, as logged last; empty: it can be used */
	char logged_trouble[ACCOUNTS_ERROR_BYTES];
	int64_t logged_ms; /* monotonic */
	/* Names whose last lookup failed, the newest last. */
	char failed_names[BROKER_FAILED_MAX][CLAIMED_USER_MAX + 1];
	unsigned failed_count;
	/* monotonic: they are not looked up again before, without a login */
	int64_t probe_after_ms;
	struct broker_damaged_account damaged[BROKER_DAMAGED_MAX];
	uint64_t changes; /* number of changes of accounts or of the store */
	struct password_cache *cache;
	struct failures *failures;
	struct failure_list *failure_list; /* logins and networks that reached a limit */
	struct blocklist *blocks; /* from the start on */
	char logged_blocks_error[BLOCKLIST_ERROR_BYTES]; /* their error, as logged last */
	struct usual_networks *usual_networks;
	struct last_logins *last_logins;
	struct password_cache *wrong_passwords; /* so that the same one again counts once */
	/* sessions of users: one password that follows in the session is not counted */
	struct password_cache *scram_failures;
	struct worker_pool *pool;
	struct map *sessions; /* by session id */
	uint64_t test_count;
	struct event *sweep;
	struct channel *submissions[BROKER_SUBMISSIONS_MAX];
	struct channel *control;
	/* The pair that main made for each channel. */
	struct role_peer submission_peers[BROKER_SUBMISSIONS_MAX];
	struct role_peer worker_peers[WORKER_POOL_WORKERS_MAX];
	struct role_peer control_peer;
};

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

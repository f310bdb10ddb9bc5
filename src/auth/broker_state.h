/*
 * broker_state: the state of the broker, which the files of the broker share. The role (broker.c)
 * makes and frees it; broker_store.c opens the account store in it and detects that the store was
 * replaced; the others use it. Only types.
 */
#ifndef AUTH_BROKER_STATE_H
#define AUTH_BROKER_STATE_H

#include "auth/accounts.h"
#include "auth/blocklist.h"
#include "auth/failure_list.h"
#include "auth/failures.h"
#include "auth/last_login.h"
#include "auth/password_cache.h"
#include "auth/store_file.h"
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

#endif

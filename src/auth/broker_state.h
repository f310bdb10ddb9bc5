/*
 * broker_state: the state of the broker, which the files of the broker share. The role (broker.c)
 * makes and frees it; the others use it. It has no account: what a login needs of one is in its
 * session. Only types.
 */
#ifndef AUTH_BROKER_STATE_H
#define AUTH_BROKER_STATE_H

#include "auth/auth_backend.h"
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

enum {
	BROKER_SUBMISSIONS_MAX = 64,
	BROKER_BACKEND_STORE_BYTES = 128,
	BROKER_BACKEND_TROUBLE_BYTES = 512,
};

/* What the worker of the back end has reported last. */
struct broker_backend_view {
	uint64_t changes, exchanges;
	char store[BROKER_BACKEND_STORE_BYTES]; /* that a worker had open last; empty: none yet */
	bool is_store_unsure; /* a new worker has not reported yet which store it has */
	bool is_directory_gone;
	bool is_silent; /* it has a request, and does not answer */
	struct event *patience; /* while it has one */
	char trouble[BROKER_BACKEND_TROUBLE_BYTES]; /* for `status`; empty: none */
};

struct broker {
	struct role *role;
	char *directory; /* of the blocks */
	int directory_fd;
	struct sandbox_path path;
	struct store_file_directory state_directory;
	struct broker_backend_view backend;
	/* rises when an account was changed, or the store, or when that may have happened */
	uint64_t changes;
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
	struct worker_pool *pools[WORKER_KINDS];
	LIST_HEAD(, broker_command) commands; /* that wait for the worker */
	unsigned command_count;
	struct map *sessions; /* by session id */
	uint64_t test_count;
	struct event *sweep;
	struct channel *submissions[BROKER_SUBMISSIONS_MAX];
	struct channel *control;
	/* The pair that main made for each channel. */
	struct role_peer submission_peers[BROKER_SUBMISSIONS_MAX];
	struct role_peer worker_peers[WORKER_KINDS][WORKER_POOL_WORKERS_MAX];
	struct role_peer control_peer;
};

#endif

/*
 * broker: what the broker's files share: the role (broker.c) owns everything, the conversations
 * (auth_session.c) use it.
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

/* A damaged account, as the log has it. */
struct broker_damaged_account {
	char name[CLAIMED_USER_MAX + 1];
	int64_t at_ms; /* monotonic */
};

struct broker {
	struct role *role;
	char *directory;         /* of the store */
	int directory_fd;
	struct sandbox_path paths[2];
	struct accounts *accounts; /* NULL: cannot be opened now */
	struct store_file store_file;  /* of its file */
	char directory_path[PATH_MAX];      /* the directory was at the start; empty: not known */
	bool is_directory_gone;              /* it was moved or removed: nothing is changed in it */
	struct event *store_timer;
	int64_t open_after_ms;   /* monotonic: it is not opened or opened anew before */
	enum accounts_absent absent; /* ACCOUNTS_MAKE: at a first start, until it was open once */
	bool is_missing;         /* the store, at the last attempt */
	char trouble[ACCOUNTS_ERROR_BYTES]; /* why it could not be opened or used */
	char logged_trouble[ACCOUNTS_ERROR_BYTES]; /* the same, as the log has it; empty: it can be
	                                              used */
	int64_t logged_ms;         /* monotonic */
	/* whose look-ups failed and did not succeed since, the latest of them; empty: none */
	char failed_names[BROKER_FAILED_MAX][CLAIMED_USER_MAX + 1];
	unsigned failed_count;
	int64_t probe_after_ms;  /* monotonic: they are not looked up again on our own before */
	struct broker_damaged_account damaged[BROKER_DAMAGED_MAX];
	uint64_t changes;        /* of passwords and suspensions, so far */
	struct password_cache *cache;
	struct failures *failures;
	struct failure_list *failure_list; /* who has reached a limit of these */
	struct blocklist *blocks;   /* from the start on */
	char logged_blocks_error[BLOCKLIST_ERROR_BYTES]; /* their error, as the log has it */
	struct usual_networks *usual_networks;
	struct last_logins *last_logins;
	struct password_cache *wrong_passwords;     /* passwords: the same again counts once */
	struct password_cache
	    *scram_failures; /* sessions of users: a password behind it counts as it did */
	struct worker_pool *pool;
	struct map *sessions;      /* conversations under way, by session */
	uint64_t test_count;
	struct event *sweep;
	struct channel *submissions[BROKER_SUBMISSIONS_MAX];
	struct channel *control;
	/* which pair of main's each channel is of */
	struct role_peer submission_peers[BROKER_SUBMISSIONS_MAX];
	struct role_peer worker_peers[WORKER_POOL_WORKERS_MAX];
	struct role_peer control_peer;
};

/* NULL: the store is broken (logged). */
struct accounts *broker_store(struct broker *b);
/* What keeps it from its work, of the store and of the blocks, is for all to see. */
void broker_show_trouble(const struct broker *b);
/* From now on it looks every two seconds whether the store is still the file in the state
 * directory; another one is opened in its place. */
void broker_watch_store(struct broker *b);
/* The state directory was moved or removed while it is open: what would be stored in it is missing
 * after a start.  Logged when it begins and ends; text (may be NULL) says it. */
bool broker_is_directory_gone(struct broker *b, struct buf *text) MUST_USE;
/* A verb of user_admin.h on the store that is in the state directory now.  A change is told as made
 * when it is in that one. */
uint8_t broker_run_users(
    struct broker *b, const struct message_admin *m, struct user_admin_out *out) MUST_USE;
/* At times: a store that is back is found without a login, one that is not is told of again, and
 * look-ups that failed are made once more. */
void broker_sweep_store(struct broker *b);
/* Looks up.  A look-up that fails says nothing about other accounts, of which damage may have left
 * most: the store is opened anew, once a second at most, and stays open for them. */
enum accounts_result broker_find(struct broker *b, struct str user, struct account *out);
/* Whom a claim means (account_names.h), and the account, in one look-up: all of it from one store.
 */
enum accounts_result broker_find_claimed(
    struct broker *b, struct claimed_identity *identity, struct account *out);

#endif

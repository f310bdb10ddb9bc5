/*
 * accounts: the account store, accounts.db (SQLite) in the state directory. It has the names,
 * secrets and suspensions of all accounts, and the installation's own key. A process that has it
 * open holds it alone, so the daemon's accounts worker and a tool that works without the daemon can
 * never write at the same time. A change is on the disk when the call returns. The only file that
 * includes sqlite3.h is accounts.c.
 */
#ifndef AUTH_ACCOUNTS_H
#define AUTH_ACCOUNTS_H

#include "auth/claimed_identity.h"

enum { ACCOUNTS_REASON_MAX = 255, ACCOUNTS_ERROR_BYTES = 256, ACCOUNTS_FILE_MODE = 0600,
	ACCOUNTS_COUNTS_MAX = 32 };

struct accounts;

enum accounts_result {
	ACCOUNTS_OK,
	ACCOUNTS_NONE, /* there is no such account */
	ACCOUNTS_EXISTS,
	/* the stored data of this account is not valid; other accounts may be fine */
	ACCOUNTS_DAMAGED,
	ACCOUNTS_BROKEN, /* the store failed; see accounts_error */
};

struct account {
	char name[CLAIMED_USER_MAX + 1];
	struct scram_secret secret;
	bool is_suspended;
	char reason[ACCOUNTS_REASON_MAX + 1];
	int64_t created_ms;
	int64_t changed_ms; /* of the password */
	int64_t suspended_ms;
};

enum accounts_absent { ACCOUNTS_MAKE, ACCOUNTS_REFUSE };

/* Opens the store. `absent` says what to do if the file is missing or empty: to make a store
 * without accounts, with which nobody can log in, is right only at a first start or on the
 * operator's command. The caller closes the store with accounts_close. NULL: error_out has the
 * reason; errno is EBUSY if another process has the store open, ENOENT if the file is missing or
 * empty. */
struct accounts *accounts_open(const char *directory, enum accounts_absent absent,
    char error_out[ACCOUNTS_ERROR_BYTES]);
/* True: this accounts_open has made the store. */
bool accounts_is_new(const struct accounts *a);
/* Frees the store and sets *a to NULL; NULL is allowed. */
void accounts_close(struct accounts **a);
/* The reason for the last ACCOUNTS_BROKEN. */
const char *accounts_error(const struct accounts *a);

/* The installation's key: 32 bytes, made once for this store. */
struct str accounts_key(const struct accounts *a);
/* The iteration count to show for a name that no account has. Each count is chosen about as often
 * as accounts have it, and the choice for one name stays the same as long as the counts of the
 * accounts do. 0: there are no accounts. */
uint32_t accounts_likely_iterations(const struct accounts *a, struct str name);

/* Reads one account. Any result may be returned but ACCOUNTS_EXISTS. */
enum accounts_result accounts_find(
    struct accounts *a, struct str name, struct account *out) MUST_USE;
/* Change one account by its exact name. ACCOUNTS_NONE: there is none with this name; only
 * accounts_add returns ACCOUNTS_EXISTS. */
enum accounts_result accounts_add(
    struct accounts *a, struct str name, const struct scram_secret *s) MUST_USE;
enum accounts_result accounts_set_secret(
    struct accounts *a, struct str name, const struct scram_secret *s) MUST_USE;
/* One that is suspended already keeps the time, and its reason when this one is empty. */
enum accounts_result accounts_suspend(
    struct accounts *a, struct str name, struct str reason) MUST_USE;
enum accounts_result accounts_resume(struct accounts *a, struct str name) MUST_USE;
enum accounts_result accounts_remove(struct accounts *a, struct str name) MUST_USE;

/* Calls fn for each account, ordered by name. */
typedef void account_fn(const struct account *account, void *arg);
enum accounts_result accounts_each(struct accounts *a, account_fn *fn, void *arg) MUST_USE;

#endif

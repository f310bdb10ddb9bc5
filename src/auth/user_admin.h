/*
 * user_admin: the operator's commands for accounts: user.add, user.password, user.list, user.show,
 * user.suspend, user.resume, user.remove. The accounts worker runs them for the tool while the
 * daemon runs; the tool runs the same code on the store itself while it does not. Passwords never
 * come here: the tool makes the secret (scram_secret_make) and sends that.
 */
#ifndef AUTH_USER_ADMIN_H
#define AUTH_USER_ADMIN_H

#include <sys/types.h>

#include "auth/accounts.h"
#include "base/buf.h"
#include "conf/conf.h"

/* Exit codes of the tool, as in sysexits(3). */
enum user_admin_exit {
	USER_ADMIN_OK = 0,
	USER_ADMIN_USAGE = 64,
	USER_ADMIN_DATA = 65,
	USER_ADMIN_NO_USER = 67,
	USER_ADMIN_EXISTS = 73,
	USER_ADMIN_IO = 74,
	USER_ADMIN_TRY_LATER = 75,
};

struct user_admin_out {
	void (*row)(struct str values, void *arg); /* keyed list, see ipc/message.h */
	void *arg;
	struct buf *text; /* one line for the operator, without the newline */
	/* set by a command with a name: the account that it was about */
	struct claimed_identity target;
	bool was_suspended; /* of user.suspend and user.resume: before the command */
};

/* Runs the command `verb`. Values: name, secret (user.add, user.password), reason (user.suspend). A
 * new account must have a name that account_names.h allows; a name without a domain is completed
 * (conf/login_name.h), unless an account has exactly this name. Rows have name, state (active,
 * suspended), reason, created, password_changed, suspended, iterations. After
 * user.suspend, user.resume and user.remove there is one row: row (account), name (complete), state
 * (or "removed") and text.  Returns enum user_admin_exit. */
uint8_t user_admin_run(struct accounts *a, const struct conf *conf, struct str verb,
    struct str values, struct user_admin_out *out) MUST_USE;

/* True: it is one of the commands above. */
bool user_admin_is_verb(struct str verb);
/* True: the command changes an account: it gets an admin line in the log, and remembered passwords
 * and usual networks of the account are dropped. */
bool user_admin_is_change(struct str verb);
/* True: the sessions of the user end after the command. */
bool user_admin_ends_sessions(struct str verb);

/* Whether the command may make a missing store: only if it adds an account to it. */
enum accounts_absent user_admin_absent_store(struct str verb);
/* For the tool, which runs as the owner of the accounts. The caller closes the store. NULL: text
 * has the reason; errno EBUSY: the daemon has the store open. */
struct accounts *user_admin_open(const char *directory, struct str verb, struct buf *text);

enum { USER_ADMIN_PASSWORD_BYTES = 32 };
/* Makes a password of 100 random bits for `--generate`, in groups of five letters and digits;
 * returns out. */
char *user_admin_generate_password(char out[USER_ADMIN_PASSWORD_BYTES]);

#endif

/*
 * user_admin: the operator's verbs on accounts: user.add, user.password, user.list, user.show,
 * user.suspend, user.resume, user.remove. The broker runs them for the tool while the daemon is
 * on; the tool runs the same code on the store itself while it is off. Passwords never come here:
 * the tool makes the secret (scram_secret_make) and sends that.
 */
#ifndef AUTH_USER_ADMIN_H
#define AUTH_USER_ADMIN_H

#include <sys/types.h>

#include "auth/accounts.h"
#include "base/buf.h"
#include "conf/conf.h"

/* sysexits(3), as the tool ends with them. */
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
	struct buf *text; /* one line for the operator, without its newline */
	struct claimed_identity target; /* set: of a verb with a name, whom it was about */
};

/* verb as above; values: name, secret (user.add, user.password), reason (user.suspend). A new
 * account must have a name that account_names.h allows; a name without a domain is completed
 * (conf/login_name.h), but for an account that has exactly this name. Rows carry name, state
 * (active, suspended), reason, created, password_changed, suspended, iterations. Returns enum
 * user_admin_exit. */
uint8_t user_admin_run(struct accounts *a, const struct conf *conf, struct str verb,
    struct str values, struct user_admin_out *out) MUST_USE;

bool user_admin_is_verb(struct str verb);
/* The verb changes an account: worth an admin line in the log, and what was remembered of its
 * passwords and places is void. */
bool user_admin_is_change(struct str verb);
/* After it, the user's sessions end. */
bool user_admin_ends_sessions(struct str verb);

/* Whether a store that is missing may be made for it: only to add an account to it. */
enum accounts_absent user_admin_absent_store(struct str verb);
/* For the tool, which is the accounts' user by now.  NULL: text says why; errno EBUSY: the daemon
 * has it open. */
struct accounts *user_admin_open(const char *directory, struct str verb, struct buf *text);

enum { USER_ADMIN_PASSWORD_BYTES = 32 };
/* A password of 100 random bits for `--generate`: groups of five letters and digits; returns
 * out. */
char *user_admin_generate_password(char out[USER_ADMIN_PASSWORD_BYTES]);

#endif

/*
 * user_admin: the operator's verbs on accounts: user.add, user.password, user.list, user.show,
 * user.suspend, user.resume, user.remove. The broker runs them for the tool while the daemon is
 * on; the tool runs the same code on the store itself while it is off. Passwords never come here:
 * the tool makes the secret (secret_make) and sends that.
 */
#ifndef AUTH_USER_ADMIN_H
#define AUTH_USER_ADMIN_H

#include <sys/types.h>

#include "auth/accounts.h"
#include "base/buf.h"
#include "conf/conf.h"

/* sysexits(3), as the tool ends with them. */
enum users_exit {
	USERS_OK = 0,
	USERS_USAGE = 64,
	USERS_DATA = 65,
	USERS_NO_USER = 67,
	USERS_EXISTS = 73,
	USERS_IO = 74,
	USERS_TRY_LATER = 75,
};

struct users_out {
	void (*row)(struct str values, void *arg); /* keyed list, see ipc/message.h */
	void *arg;
	struct buf *text; /* one line for the operator, without its newline */
	struct claim target; /* set: of a verb with a name, whom it was about */
};

/* verb as above; values: name, secret (user.add, user.password), reason (user.suspend). A new
 * account must have a name that account_names.h allows; a name without a domain is completed
 * (conf/login_name.h), but for an account that has exactly this name. Rows carry name, state
 * (active, suspended), reason, created, password_changed, suspended, iterations. Returns enum
 * users_exit. */
uint8_t users_run(struct accounts *a, const struct conf *conf, struct str verb, struct str values,
    struct users_out *out) MUST_USE;

bool users_is_verb(struct str verb);
/* The verb changes an account: worth an admin line in the log, and what was remembered of its
 * passwords and places is void. */
bool users_is_change(struct str verb);
/* After it, the user's sessions end. */
bool users_is_end(struct str verb);

/* Whether a store that is missing may be made for it: only to add an account to it. */
enum accounts_absent users_absent(struct str verb);
/* For the tool, which is the accounts' user by now.  NULL: text says why; errno EBUSY: the daemon
 * has it open. */
struct accounts *users_open(const char *directory, struct str verb, struct buf *text);

enum { USERS_PASSWORD_BYTES = 32 };
/* A password of 100 random bits for `--generate`: groups of five letters and digits; returns
 * out. */
char *users_generate(char out[USERS_PASSWORD_BYTES]);

#endif

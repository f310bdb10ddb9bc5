/*
 * user_mail: what becomes of the queued mail of an account that is suspended, resumed or removed:
 * holds or releases it where the options say so, and prints what was done, or what is left.  It
 * does not change the account.
 */
#ifndef TOOL_USER_MAIL_H
#define TOOL_USER_MAIL_H

#include "tool/tool.h"

struct tool_user_mail {
	struct tool *tool;
	const char *given;  /* the name on the command line */
	struct buf account; /* the full name, from the answer about the account */
	uint64_t changed, unchanged, failed; /* from the answer of the queue */
	uint64_t queued, held;
	/* messages being stored are not held; the final text of the answer says so */
	bool incoming_not_held;
};

void tool_user_mail_init(struct tool_user_mail *mail, struct tool *t, const char *given);
void tool_user_mail_clear(struct tool_user_mail *mail);
/* A tool_row_fn for the answer about the account; arg is struct tool_user_mail. */
void tool_user_mail_take_account(struct str values, void *arg);
/* After the change of the account by verb: returns the exit code. */
int tool_user_mail_finish(struct tool_user_mail *mail, const char *verb);
/* `user resume --release` of a name without an account. */
int tool_user_mail_release_removed(struct tool_user_mail *mail);

#endif

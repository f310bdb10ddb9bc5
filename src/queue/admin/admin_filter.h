/*
 * admin_filter: selects the messages of a command.  A message must meet every condition; of several
 * ids, one.  The id of a session stands for all of its messages.
 */
#ifndef QUEUE_ADMIN_ADMIN_FILTER_H
#define QUEUE_ADMIN_ADMIN_FILTER_H

#include "queue/queued.h"

struct admin_filter {
	struct str user, from, to, domain, state;
	struct str other_user; /* login_name_other of user, or user */
	struct str account;    /* only the login with exactly this name */
	int64_t older_ms; /* 0: any age */
	struct msgid *ids;   /* number 0: the id of a session */
	size_t id_count;
	bool has_sessions;   /* among the ids; then messages cannot be looked up by id */
};

/* values: of an admin message; strings are copied into the arena.  False: *why_out is a sentence
 * for the operator. */
bool admin_filter_parse(struct str values, struct arena *arena, struct admin_filter *out,
    const char **why_out) MUST_USE;
/* Does the message match?  Ids are compared only with has_sessions; else the caller looks them up.
 */
bool admin_filter_fits(const struct admin_filter *f, const struct schedule *s,
    const struct queued_message *e, int64_t now_ms);
/* It excludes some held messages of the user or account that it names. */
bool admin_filter_is_narrow(const struct admin_filter *f);

/* "held", "active" (being delivered, or about to be) or "deferred". */
const char *admin_filter_state(
    const struct schedule *s, const struct queued_message *e, int64_t now_ms);

#endif

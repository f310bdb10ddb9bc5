/*
 * admin_filter: which messages an operator means: every condition given must hold; several ids: one
 * of them.  The id of a session stands for all of its messages.
 */
#ifndef QUEUE_ADMIN_FILTER_H
#define QUEUE_ADMIN_FILTER_H

#include "queue/queued.h"

struct admin_filter {
	struct str user, from, to, domain, state;
	struct str other_user; /* login_name_other of user, or user */
	struct str account;    /* no other login than the one of exactly this name */
	int64_t older_ms; /* 0: any age */
	struct msgid *ids;   /* number 0: of a session */
	size_t id_count;
	bool has_sessions;   /* among the ids: then they cannot be looked up one by one */
};

/* values: of an admin message; strings are copied into the arena.  False with a sentence for the
 * operator. */
bool admin_filter_parse(struct str values, struct arena *arena, struct admin_filter *out,
    const char **why_out) MUST_USE;
/* Ids are looked at only with has_sessions; else the caller looks them up. */
bool admin_filter_fits(const struct admin_filter *f, const struct schedule *s,
    const struct queued_message *e, int64_t now_ms);
/* It leaves out held messages of the user, or account, that it names. */
bool admin_filter_is_narrow(const struct admin_filter *f);

/* "held", "active" (being delivered, or about to be) or "deferred". */
const char *admin_filter_state(
    const struct schedule *s, const struct queued_message *e, int64_t now_ms);

#endif

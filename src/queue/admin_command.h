/*
 * admin_command: one command of the operator that is under way; shared by admin.c, which walks the
 * queued messages, and admin_changes.c, which changes them.
 */
#ifndef QUEUE_ADMIN_COMMAND_H
#define QUEUE_ADMIN_COMMAND_H

#include "base/arena.h"
#include "queue/admin_filter.h"
#include "queue/queue_internal.h"

struct admin_change;
struct suspended_hold;

enum { ADMIN_COMMAND_IDS_TOLD = 20 }; /* in the log, of one command */

struct admin_command {
	TAILQ_ENTRY(admin_command) link;
	struct queue *queue;
	struct queue_peer *peer; /* NULL: gone */
	uint64_t call;
	const struct admin_verb *verb;
	struct arena arena;
	struct admin_filter filter;
	struct str by, claim, reason;
	struct str held_for; /* a release ends only holds with this reason; empty: every hold */
	struct msgid first[ADMIN_COMMAND_IDS_TOLD]; /* of those that were changed */
	struct queued_message *next; /* of the book; not used when ids are given */
	size_t next_id;
	size_t untaken_bytes; /* of rows that were said, see queue/admin_flow.h */
	size_t matched;
	size_t held;     /* of matched: what the errand found held */
	size_t changed;  /* durably; in a dry run: would be */
	size_t unstored; /* appended, not durable yet */
	struct spool_reading reading; /* of the message that is shown; the next waits for it */
	int64_t read_until_ms;        /* monotonic: no longer, see SHOW_READ_MS */
	size_t failed;   /* could not be stored */
	size_t damaged;  /* of changed: released, and held because of damage before */
	LIST_HEAD(, admin_change) changes; /* not durable yet */
	struct suspended_hold *coming; /* what of its user is being stored is held too; or NULL */
	int error;
	bool is_dry_run;
	bool is_coming_lost; /* what is to come will not be held, see suspended_hold_add */
	bool wants_body; /* of what is shown */
	bool is_gone; /* its client: no row is said */
	bool is_walked;
	bool is_late; /* the disk did not answer in time */
};

/* What is done with an entry; the entry may be gone afterwards. */
typedef void admin_verb_fn(struct admin_command *errand, struct queued_message *e);

/* Would the verb change anything of it? */
typedef bool admin_verb_would_fn(
    const struct admin_command *errand, const struct queued_message *e);

struct admin_verb {
	const char *name;
	admin_verb_fn *fn;
	admin_verb_would_fn *would; /* NULL: it changes nothing */
	const char *why_not;  /* of those that match and are not changed */
	void (*end)(struct admin_command *errand); /* rows behind all others; or NULL */
};

/* A row of the answer; clears the values. */
void admin_command_send_row(struct admin_command *errand, struct buf *values);
/* One more message was changed, or would be: a row with its id. */
void admin_command_changed(struct admin_command *errand, struct msgid id);

#endif

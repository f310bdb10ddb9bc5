/*
 * admin_command: one running command of the operator; shared by admin.c, which walks the queued
 * messages, admin_changes.c, which changes them, admin_batches.c, which stores the changes, and
 * admin_rows.c, which answers.
 */
#ifndef QUEUE_ADMIN_ADMIN_COMMAND_H
#define QUEUE_ADMIN_ADMIN_COMMAND_H

#include "base/arena.h"
#include "queue/admin/admin_filter.h"
#include "queue/queue_internal.h"

struct admin_batch;
struct admin_batch_draft;
struct suspended_hold;

enum { ADMIN_COMMAND_IDS_LOGGED = 20 }; /* of one command */

struct admin_command {
	TAILQ_ENTRY(admin_command) link;
	struct queue *queue;
	struct queue_peer *peer; /* NULL: its channel is lost */
	uint64_t call;
	const struct admin_verb *verb;
	struct arena arena;
	struct admin_filter filter;
	struct str by, claimed_name, reason;
	struct str held_for; /* a release ends only holds with this reason; empty: every hold */
	struct msgid first_ids[ADMIN_COMMAND_IDS_LOGGED]; /* of the messages that were changed */
	struct queued_message *next; /* the cursor; not used when ids are given */
	/* the last one that was queued when the command was given; NULL: there was none.  A hold
	 * or a release looks at no later one: suspended_holds decides about what comes later */
	struct queued_message *last;
	size_t next_id;
	size_t untaken_bytes; /* of rows that were sent, see queue/admin/admin_flow.h */
	size_t untold; /* rows that were not sent, because another command waits for this one */
	size_t matched;
	size_t held;     /* of matched: held before the command */
	size_t changed;  /* durably; in a dry run: would be changed */
	size_t unstored; /* messages whose change is gathered or appended, and not durable yet */
	struct spool_reading reading; /* of the message that is shown; the next one waits for it */
	int64_t read_until_ms;        /* monotonic; see SHOW_READ_MS */
	size_t failed;   /* could not be stored */
	size_t damaged;  /* of changed: released, and held because of damage before */
	size_t taken_over; /* of changed: held for a suspension or because of damage before */
	LIST_HEAD(, admin_batch) batches; /* appended, not durable yet */
	struct admin_batch_draft *draft; /* changes that are not appended yet; or NULL */
	struct str why; /* of its holds, as it is stored; empty: not needed yet */
	struct buf ids; /* a row of ids that is not sent yet */
	size_t id_count; /* of them */
	/* also holds mail of its user that is not stored yet; or NULL */
	struct suspended_hold *suspended_hold;
	int error;
	bool is_dry_run;
	bool is_suspension; /* a hold by `user suspend --hold`; it also holds mail that comes */
	bool is_suspended_hold_refused; /* later mail will not be held, see suspended_hold_add */
	bool wants_body; /* of the message that is shown */
	bool is_client_gone; /* rows are not sent any more */
	bool is_walked;
	bool is_awaited; /* a later command waits for it, see admin_changes_wait_for_others */
	bool is_late; /* the disk did not answer in time */
};

/* Handles one message, which may be freed afterwards. */
typedef void admin_verb_fn(struct admin_command *command, struct queued_message *e);

/* Would the verb change this message? */
typedef bool admin_verb_would_fn(
    const struct admin_command *command, const struct queued_message *e);

struct admin_verb {
	const char *name;
	admin_verb_fn *fn;
	admin_verb_would_fn *would; /* NULL: it changes nothing */
	const char *why_not;  /* the text for messages that match and are not changed */
	void (*end)(struct admin_command *command); /* sends the rows behind all others; or NULL */
};

#endif

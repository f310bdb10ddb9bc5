/*
 * admin_command: one command of the operator that is under way; shared by admin.c, which walks the
 * queued messages, and admin_changes.c, which changes them.
 */
#ifndef QUEUE_ADMIN_COMMAND_H
#define QUEUE_ADMIN_COMMAND_H

#include "base/arena.h"
#include "queue/admin_filter.h"
#include "queue/queue_internal.h"

struct change;
struct coming;

enum { ERRAND_IDS_TOLD = 20 }; /* in the log, of one command */

struct errand {
	TAILQ_ENTRY(errand) link;
	struct queue *queue;
	struct peer *peer; /* NULL: gone */
	uint64_t call;
	const struct verb *verb;
	struct arena arena;
	struct filter filter;
	struct str by, claim, reason;
	struct str held_for; /* a release ends only holds with this reason; empty: every hold */
	struct msgid first[ERRAND_IDS_TOLD]; /* of those that were changed */
	struct entry *next; /* of the book; not used when ids are given */
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
	LIST_HEAD(, change) changes; /* not durable yet */
	struct coming *coming; /* what of its user is being stored is held too; or NULL */
	int error;
	bool is_dry_run;
	bool is_coming_lost; /* what is to come will not be held, see coming_add */
	bool wants_body; /* of what is shown */
	bool is_gone; /* its client: no row is said */
	bool is_walked;
	bool is_late; /* the disk did not answer in time */
};

/* What is done with an entry; the entry may be gone afterwards. */
typedef void verb_fn(struct errand *errand, struct entry *e);

/* Would the verb change anything of it? */
typedef bool verb_would_fn(const struct errand *errand, const struct entry *e);

struct verb {
	const char *name;
	verb_fn *fn;
	verb_would_fn *would; /* NULL: it changes nothing */
	const char *why_not;  /* of those that match and are not changed */
	void (*end)(struct errand *errand); /* rows behind all others; or NULL */
};

/* A row of the answer; clears the values. */
void errand_say_row(struct errand *errand, struct buf *values);
/* One more message was changed, or would be: a row with its id. */
void errand_changed(struct errand *errand, struct msgid id);

#endif

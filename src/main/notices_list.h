/*
 * notices_list: what is to be told to the postmaster, and what was told in the last day.  Pure: no
 * clock, no file, no other process.  Here alone it is decided whether something is told, and when.
 * All of it has a fixed size, whatever happens, and however often.
 *
 * An event is about an object (a file, a process).  Most kinds have one notice for each object, at
 * most one in a day: what comes again in that time is in the log alone.  Those kinds of which there
 * may be very many are collected: one notice of that kind for all objects, at most one in an hour,
 * and each object once a day; which objects those were is in memory alone.
 *
 * A notice that was asked for takes nothing more, since its text is at the queue: another event of
 * the same object begins a second one, which is told once the first one is.  Where the first one
 * was refused, and so is not stored, it takes what the second one has, which is dropped.
 */
#ifndef MAIN_NOTICES_LIST_H
#define MAIN_NOTICES_LIST_H

#include <sys/queue.h>

#include "base/buf.h"
#include "ipc/message.h"

enum {
	NOTICES_PENDING_MAX = 64,
	NOTICES_LINES_MAX = 50,       /* of one notice; the others are counted */
	NOTICES_LINES_BYTES = 24 << 10,
	NOTICES_A_DAY = 30,
	NOTICES_A_DAY_OF_USERS = 15,  /* of the kinds that clients can cause */
	NOTICES_OBJECTS_MAX = 512,    /* objects of collected kinds that are remembered */
	NOTICES_OBJECT_BYTES = 256,    /* a longer one is cut */
	NOTICES_LINE_BYTES = 1600,     /* a longer one is cut */
	NOTICES_GATHER_MS = 5000,     /* from the first event to its notice */
	NOTICES_COLLECT_MS = 60000,   /* the same of collected kinds */
	NOTICES_TEXT_MAX = 16 << 10,  /* of what was told, as a file */
};

#define NOTICES_HOUR_MS (INT64_C(3600) * 1000)
#define NOTICES_DAY_MS (24 * NOTICES_HOUR_MS)
/* What is looked at once a day is not to be missed every second time. */
#define NOTICES_SLACK_MS (15 * 60 * INT64_C(1000))

struct notices_kind_row {
	const char *name;
	const char *subject;
	const char *what;     /* what the lines are */
	const char *advice;   /* what is to be done */
	bool is_collected;
	bool is_of_users;     /* clients can cause as many as they like */
	bool has_counters;    /* a line in which only numbers differ says nothing else */
};
extern const struct notices_kind_row notices_kinds[NOTICE_KINDS];

/* One that is pending. */
struct notices_pending {
	TAILQ_ENTRY(notices_pending) link;
	enum notice_kind kind;
	char object[NOTICES_OBJECT_BYTES]; /* of collected kinds: empty */
	uint64_t id;         /* of the mail; 0: it was not asked for yet */
	int64_t since_ms;    /* of the first event, UTC */
	int64_t due_ms;      /* UTC */
	struct buf lines;    /* each with a blank in front */
	unsigned line_count;
	unsigned more_count; /* that have no line */
	unsigned untold_count; /* that its mail names */
	unsigned asks;       /* not refused: it may be stored, with the text that it had */
	bool is_late;        /* it was asked for in vain, and the log knows it */
	bool is_set;         /* by notices_list_set: it has the newest line alone */
};

/* One that was told. */
struct notices_sent {
	int64_t at_ms;
	enum notice_kind kind;
	char object[NOTICES_OBJECT_BYTES];
};

struct notices_list {
	TAILQ_HEAD(, notices_pending) pending; /* the oldest first */
	unsigned count;
	unsigned untold_count;        /* events for which the list had no place, not told yet */
	struct notices_sent sent[NOTICES_A_DAY]; /* in the last day, the oldest first */
	unsigned sent_count;
	struct {
		uint64_t hash;
		int64_t at_ms;
	} objects[NOTICES_OBJECTS_MAX];
	unsigned next_object;
};

void notices_list_init(struct notices_list *l);
void notices_list_clear(struct notices_list *l);

/* An event, a line of its own.  NULL: it is not told.  Both texts are cut, and made one line of
 * printable characters. */
struct notices_pending *notices_list_add(struct notices_list *l, enum notice_kind kind,
    struct str object, struct str line, int64_t now_ms);
/* The same, and the line stands in place of those that were there. */
struct notices_pending *notices_list_set(struct notices_list *l, enum notice_kind kind,
    struct str object, struct str line, int64_t now_ms);
/* n was asked for, and that ask stored nothing. */
void notices_list_refused(struct notices_list *l, struct notices_pending *n);
bool notices_list_is_pending(
    const struct notices_list *l, enum notice_kind kind, const char *object);
/* Forgets what was told more than a day ago. */
void notices_list_forget_old(struct notices_list *l, int64_t now_ms);
/* The first that may be told now; NULL: none. */
struct notices_pending *notices_list_next(struct notices_list *l, int64_t now_ms);
/* It was told, or is given up: it is out of the list, and freed. */
void notices_list_sent(struct notices_list *l, struct notices_pending *n, int64_t now_ms);
void notices_list_drop(struct notices_list *l, struct notices_pending *n);
/* What the mail says. */
void notices_list_compose(const struct notices_list *l, struct notices_pending *n, struct buf *out);

/* What was told, as a text, and back; false: it makes no sense, and nothing was told. */
void notices_list_write(const struct notices_list *l, struct buf *out);
bool notices_list_read(struct notices_list *l, struct str text) MUST_USE;

#endif

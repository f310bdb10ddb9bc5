/*
 * notices_list: the pending notices, and those sent in the last day.  Pure: it uses no clock, no
 * file and no other process.  It alone decides whether and when a notice is sent.  Its size is
 * fixed, whatever happens and however often.
 *
 * An event is about an object (a file, a process).  For most kinds each object has its own notice,
 * at most one per day: what happens again in that time is only in the log.  Kinds of which there
 * may be very many events are collected: one notice of the kind for all objects, at most one per
 * hour, and each object once per day; which objects these were is only in memory.
 *
 * A notice that was requested gets no more lines, since the queue has its text: the next event of
 * the same object begins a second notice, which is sent after the first one.  If the request was
 * refused, so that nothing was stored, the first notice takes the lines of the second one, which is
 * dropped.
 */
#ifndef MAIN_NOTICES_LIST_H
#define MAIN_NOTICES_LIST_H

#include <sys/queue.h>

#include "base/buf.h"
#include "ipc/message.h"

enum {
	NOTICES_PENDING_MAX = 64,
	NOTICES_LINES_MAX = 50,       /* of one notice; further lines are counted */
	NOTICES_LINES_BYTES = 24 << 10,
	NOTICES_A_DAY = 30,
	NOTICES_A_DAY_OF_USERS = 15,  /* of the kinds that clients can cause */
	NOTICES_OBJECTS_MAX = 512,    /* objects of collected kinds that are remembered */
	NOTICES_OBJECT_BYTES = 256,    /* a longer one is cut */
	NOTICES_LINE_BYTES = 1600,     /* a longer one is cut */
	NOTICES_GATHER_MS = 5000,     /* from the first event to the request */
	NOTICES_COLLECT_MS = 60000,   /* the same of collected kinds */
	NOTICES_TEXT_MAX = 16 << 10,  /* of the file of sent notices */
};

#define NOTICES_HOUR_MS (INT64_C(3600) * 1000)
#define NOTICES_DAY_MS (24 * NOTICES_HOUR_MS)
/* Events of a daily check come a little less than a day apart: without this slack every second one
 * would be left out. */
#define NOTICES_SLACK_MS (15 * 60 * INT64_C(1000))

struct notices_kind_row {
	const char *name;
	const char *subject;
	const char *what;     /* introduces the lines */
	const char *advice;   /* what the administrator should do */
	bool is_collected;
	bool is_of_users;     /* clients can cause any number of them */
	bool has_counters;    /* lines that differ only in numbers are equal */
};
extern const struct notices_kind_row notices_kinds[NOTICE_KINDS];

/* A pending notice. */
struct notices_pending {
	TAILQ_ENTRY(notices_pending) link;
	enum notice_kind kind;
	char object[NOTICES_OBJECT_BYTES]; /* of collected kinds: empty */
	uint64_t id;         /* of the mail; 0: not requested yet */
	int64_t since_ms;    /* of the first event, UTC */
	int64_t due_ms;      /* UTC */
	struct buf lines;    /* each begins with a space */
	unsigned line_count;
	unsigned more_count; /* events without a line */
	unsigned omitted_count; /* events without a notice that this mail mentions */
	/* requests that were not refused: the mail may be stored with the text it had */
	unsigned request_count;
	bool is_late;        /* a request failed, which is logged */
	bool is_set;         /* by notices_list_set: it has only the newest line */
};

/* A notice that was sent. */
struct notices_sent {
	int64_t at_ms;
	enum notice_kind kind;
	char object[NOTICES_OBJECT_BYTES];
};

struct notices_list {
	TAILQ_HEAD(, notices_pending) pending; /* oldest first */
	unsigned count;
	/* events for which the list had no room, not mentioned yet */
	unsigned omitted_count;
	struct notices_sent sent[NOTICES_A_DAY]; /* in the last day, oldest first */
	unsigned sent_count;
	struct {
		uint64_t hash;
		uint64_t subject; /* hash of the object up to its first '\n' */
		int64_t at_ms;
	} objects[NOTICES_OBJECTS_MAX];
	unsigned next_object;
};

/* notices_list_clear frees the pending notices. */
void notices_list_init(struct notices_list *l);
void notices_list_clear(struct notices_list *l);

/* Adds an event as a line of its own.  Returns its notice, which the list owns; NULL: it is not
 * reported.  Object and line are cut to their maximum size, and become one line of printable
 * characters. */
struct notices_pending *notices_list_add(struct notices_list *l, enum notice_kind kind,
    struct str object, struct str line, int64_t now_ms);
/* The same, but the line replaces the lines of the notice. */
struct notices_pending *notices_list_set(struct notices_list *l, enum notice_kind kind,
    struct str object, struct str line, int64_t now_ms);
/* What was reported about that object is over: a notice about it that was not requested yet gets
 * this line too.  Of a collected kind, all objects that are equal up to their first '\n' are
 * forgotten, so that they are reported again when that returns. */
void notices_list_over(struct notices_list *l, enum notice_kind kind, struct str object,
    struct str line, int64_t now_ms);
/* A request for n was refused: nothing was stored. */
void notices_list_refused(struct notices_list *l, struct notices_pending *n);
/* True if a notice about that object is pending. */
bool notices_list_is_pending(
    const struct notices_list *l, enum notice_kind kind, const char *object);
/* Forgets notices that were sent more than a day ago. */
void notices_list_forget_old(struct notices_list *l, int64_t now_ms);
/* The first notice that may be sent now; NULL: none. */
struct notices_pending *notices_list_next(struct notices_list *l, int64_t now_ms);
/* n was stored, or is given up: it counts as sent, is removed from the list, and freed. */
void notices_list_sent(struct notices_list *l, struct notices_pending *n, int64_t now_ms);
/* Removes n from the list and frees it. */
void notices_list_drop(struct notices_list *l, struct notices_pending *n);
/* Writes the text of the mail. */
void notices_list_compose(const struct notices_list *l, struct notices_pending *n, struct buf *out);

/* Writes the sent notices as text, and reads that text; false: it is damaged, and the list of sent
 * notices is empty. */
void notices_list_write(const struct notices_list *l, struct buf *out);
bool notices_list_read(struct notices_list *l, struct str text) MUST_USE;

#endif

/*
 * unknown_entries: entries of types that this version does not know and may skip: a newer version
 * wrote them, and must find them again.  An entry whose frame is about a message is kept as long as
 * the first message of that frame; any other entry is kept for ever.  Both are copied when their
 * segment is freed.
 */
#ifndef SPOOL_UNKNOWN_ENTRIES_H
#define SPOOL_UNKNOWN_ENTRIES_H

#include <sys/queue.h>

#include "base/map.h"
#include "spool/frame.h"

enum {
	UNKNOWN_ENTRIES_BYTES_MAX = 16 << 20,
	/* while the log is read, including those whose message is not there */
	UNKNOWN_ENTRIES_READ_MAX = 64 << 20,
};

struct segment;

struct unknown_entry {
	TAILQ_ENTRY(unknown_entry) link;
	struct unknown_entry *sibling;   /* the next one of the same owner */
	struct segment *segment;         /* of its present copy */
	struct msgid owner;              /* session 0: it belongs to no message */
	uint32_t type;
	bool is_moving;                  /* a copy is in progress */
	struct str bytes;                /* owned */
};

struct unknown_entries {
	TAILQ_HEAD(, unknown_entry) all;
	struct map *owners;              /* the first one of each; NULL: there is none yet */
	size_t bytes;
	bool is_full;                    /* more than can be kept: the spool must not be used */
};

/* Makes an empty list. */
void unknown_entries_init(struct unknown_entries *l);
/* The first message that a frame with this payload is about; session 0: none. */
struct msgid unknown_entry_owner(struct str payload);
/* Adds the entry, which is in that segment; one that exists already has moved there. */
void unknown_entries_add(struct unknown_entries *l, const struct frame_entry *r, struct msgid owner,
    struct segment *segment);
/* The copy of the entry did not become durable. */
void unknown_entries_not_moved(struct unknown_entries *l, const struct frame_entry *r);
/* Removes the entries of a message that was removed. */
void unknown_entries_forget(struct unknown_entries *l, struct msgid owner);
/* To be called when the log was read: removes the entries whose message does not exist, and checks
 * that the rest is not too much. */
typedef bool unknown_entry_exists_fn(struct msgid owner, void *arg);
void unknown_entries_review(struct unknown_entries *l, unknown_entry_exists_fn *fn, void *arg);
/* The next entry in the segment after `last` (NULL: the first); NULL: there is no further one. */
struct unknown_entry *unknown_entries_next(const struct unknown_entries *l,
    const struct segment *segment, const struct unknown_entry *last);
/* Frees all entries. */
void unknown_entries_clear(struct unknown_entries *l);

#endif

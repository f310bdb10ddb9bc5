/*
 * unknown_entries: entries of types that this version does not know and need not know: a newer
 * version wrote them, and will find them again.  One whose frame speaks of a message lives as long
 * as the first message of that frame; any other one stays for ever.  Both are copied when their
 * segment is freed.
 */
#ifndef SPOOL_UNKNOWN_ENTRIES_H
#define SPOOL_UNKNOWN_ENTRIES_H

#include <sys/queue.h>

#include "base/map.h"
#include "spool/frame.h"

enum {
	UNKNOWN_ENTRIES_BYTES_MAX = 16 << 20,
	UNKNOWN_ENTRIES_READ_MAX = 64 << 20, /* while the log is read, with those of no message */
};

struct segment;

struct unknown_entry {
	TAILQ_ENTRY(unknown_entry) link;
	struct unknown_entry *sibling;         /* the next one of the same owner */
	struct segment *segment;         /* where it stands */
	struct msgid owner;              /* session 0: of no message */
	uint32_t type;
	bool is_moving;                  /* a copy is under way */
	struct str bytes;                /* owned */
};

struct unknown_entries {
	TAILQ_HEAD(, unknown_entry) all;
	struct map *owners;              /* the first one of each; NULL: there is none yet */
	size_t bytes;
	bool is_full;                    /* more than can be kept: the spool must not be used */
};

void unknown_entries_init(struct unknown_entries *l);
/* The first message that a frame with this payload speaks of; session 0: none. */
struct msgid unknown_entry_owner(struct str payload);
/* Stands in that segment; one that is there already has moved. */
void unknown_entries_add(struct unknown_entries *l, const struct frame_entry *r, struct msgid owner,
    struct segment *segment);
/* The copy of it did not become durable. */
void unknown_entries_not_moved(struct unknown_entries *l, const struct frame_entry *r);
/* The message is gone. */
void unknown_entries_forget(struct unknown_entries *l, struct msgid owner);
/* The log was read: those whose message is not there go, and what is left must not be too much. */
typedef bool unknown_entry_exists_fn(struct msgid owner, void *arg);
void unknown_entries_review(struct unknown_entries *l, unknown_entry_exists_fn *fn, void *arg);
/* The next one in the segment after `last` (NULL: the first); NULL: no more. */
struct unknown_entry *unknown_entries_next(const struct unknown_entries *l,
    const struct segment *segment, const struct unknown_entry *last);
void unknown_entries_clear(struct unknown_entries *l);

#endif

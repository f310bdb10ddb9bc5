/*
 * spool_index: the state that results from the log: messages, notes, entries of a newer version,
 * and the list of segments.  The same function applies what recovery reads and what the writer made
 * durable; to apply a range twice has no further effect.  Only the event loop uses the index.
 */
#ifndef SPOOL_SPOOL_INDEX_H
#define SPOOL_SPOOL_INDEX_H

#include "spool/spool_statuses.h"
#include "spool/stored_message.h"
#include "spool/unknown_entries.h"

enum { INDEX_NOTES_MAX = 256 };

struct spool_note {
	struct spool_note *next;
	struct segment *segment;
	unsigned open_appends;           /* appends of it that are in progress */
	struct str name;                 /* owned, like the value */
	struct str value;                /* empty: removed */
};

/* The files of a message (bits). */
enum index_file {
	INDEX_BODY = 1,                  /* ID-N.body */
	INDEX_SET_ASIDE = 2,                 /* what was set aside of it, while it is not lost */
};

/* Called when these files are not needed any more. */
typedef void index_unneeded_fn(struct msgid id, unsigned files, void *arg);

struct spool_index {
	struct slab messages;
	uint32_t *buckets;               /* numbers in the slab, by the hash of the id */
	size_t bucket_count;             /* a power of two */
	struct spool_statuses statuses;
	struct spool_note *notes;
	unsigned note_count;
	struct unknown_entries unknown;
	bool is_whole;                   /* all of the log was read */
	struct segment *oldest;
	struct segment *newest;
	uint64_t segment_count;
	unsigned unusable_count;         /* those among them to be emptied and set aside */
	uint64_t live_bytes;             /* of frames */
	uint64_t file_bytes;
	int64_t newest_ms;
	uint64_t lost_count;             /* messages that became lost, and have files */
	index_unneeded_fn *unneeded;     /* may be NULL */
	void *arg;
};

/* The position of a frame. */
struct index_position {
	struct segment *segment;
	uint32_t offset;
	uint32_t bytes;
	struct str payload;
};

/* Makes an empty index. */
void index_init(struct spool_index *x);
/* Frees messages, notes and segments. */
void index_clear(struct spool_index *x, struct fsio *io);

/* How many messages there are, durable or not. */
size_t index_count(const struct spool_index *x);
/* The message with this id; NULL if there is none. */
struct stored_message *index_find(const struct spool_index *x, struct msgid id);
/* Adds a message that is appended and not durable yet. */
struct stored_message *index_add(struct spool_index *x, struct msgid id, uint32_t recipient_count);
/* Removes the message and frees it. */
void index_remove(struct spool_index *x, struct stored_message *i);

/* The note with this name; NULL if there is none. */
struct spool_note *index_find_note(const struct spool_index *x, struct str name);

/* Removes the message if it is settled, or never became durable, and no append about it is in
 * progress. */
void index_remove_if_done(struct spool_index *x, struct stored_message *i);

/* Applies one entry of a frame at that position. */
void index_apply(
    struct spool_index *x, const struct frame_entry *r, const struct index_position *at);

/* To be called when all of the log was applied: examines the entries that were kept for messages
 * that might follow.  False: there are more entries of a newer version than can be kept. */
bool index_end_replay(struct spool_index *x) MUST_USE;

/* Adds a segment that is newer than all others. */
void index_add_segment(struct spool_index *x, struct segment *s);
/* Removes the oldest segment, which must hold nothing. */
struct segment *index_take_oldest(struct spool_index *x);

#endif

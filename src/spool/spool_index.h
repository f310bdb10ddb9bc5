/*
 * spool_index: the state that the log adds up to.  The same function applies what recovery reads
 * and what the writer made durable; applying a stretch twice changes nothing.
 */
#ifndef SPOOL_SPOOL_INDEX_H
#define SPOOL_SPOOL_INDEX_H

#include "base/map.h"
#include "spool/stored_message.h"
#include "spool/unknown_entries.h"

enum { INDEX_NOTES_MAX = 256 };

struct spool_note {
	struct spool_note *next;
	struct segment *segment;
	unsigned open_appends;           /* appends of it that are under way */
	struct str name;                 /* owned, as the value */
	struct str value;                /* empty: forgotten */
};

/* The files of a message (bits). */
enum index_file {
	INDEX_BODY = 1,                  /* ID-N.body */
	INDEX_SET_ASIDE = 2,                 /* what was put aside of it, while it is not lost */
};

/* These files are not needed any more. */
typedef void index_unneeded_fn(struct msgid id, unsigned files, void *arg);

struct spool_index {
	struct map *messages;
	struct spool_note *notes;
	unsigned note_count;
	struct unknown_entries unknown;
	bool is_whole;                   /* all of the log was read */
	struct segment *oldest;
	struct segment *newest;
	uint64_t segment_count;
	unsigned unusable_count;         /* of them, those that must be emptied and set aside */
	uint64_t live_bytes;             /* of frames */
	uint64_t file_bytes;
	int64_t newest_ms;
	uint64_t lost_count;             /* messages that became lost, and have files */
	index_unneeded_fn *unneeded;         /* may be NULL */
	void *arg;
};

/* Where a frame stands. */
struct index_position {
	struct segment *segment;
	uint32_t offset;
	uint32_t bytes;
	struct str payload;
};

void index_init(struct spool_index *x);
/* Frees items, notes and segments. */
void index_clear(struct spool_index *x, struct fsio *io);

struct stored_message *index_find(const struct spool_index *x, struct msgid id);
/* Appended, not durable yet. */
struct stored_message *index_add(struct spool_index *x, struct msgid id, uint32_t recipient_count);
void index_remove(struct spool_index *x, struct stored_message *i);

struct spool_note *index_find_note(const struct spool_index *x, struct str name);

/* Removes the message if it is settled, or never became durable, and nothing of it is under way. */
void index_remove_if_done(struct spool_index *x, struct stored_message *i);

void index_apply(
    struct spool_index *x, const struct frame_entry *r, const struct index_position *at);

/* All of the log was applied: what was kept for messages that may come is looked through.  false:
 * there are more entries of a newer version than can be kept. */
bool index_end_replay(struct spool_index *x) MUST_USE;

/* A segment newer than all. */
void index_add_segment(struct spool_index *x, struct segment *s);
/* The oldest leaves: it must hold nothing. */
struct segment *index_take_oldest(struct spool_index *x);

#endif

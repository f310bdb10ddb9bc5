/*
 * stored_message: what memory knows of one message: where its record stands, and the state of its
 * recipients.
 */
#ifndef SPOOL_STORED_MESSAGE_H
#define SPOOL_STORED_MESSAGE_H

#include "spool/segment.h"

struct spool_read_task;
struct compaction_copy;
struct lost_record_task;

/* Monotonic. */
struct stored_message_wait {
	int64_t since_ms;                /* it cannot be read */
	int64_t next_ms;                 /* not tried again before */
};

struct stored_message {
	struct stored_message *next;               /* in its segment, in log order */
	struct stored_message *previous;
	struct msgid id;
	struct segment *segment;         /* NULL: not durable yet */
	uint32_t offset;                 /* of its frame */
	uint32_t frame_bytes;            /* header and payload */
	uint32_t envelope_bytes;
	uint32_t header_bytes;
	uint64_t body_bytes;
	uint32_t recipient_count;
	uint32_t settled_count;
	uint32_t open_appends;           /* appends that speak of it and are under way */
	bool in_file;
	bool is_lost;                    /* its record is without content (spool/lost_record.h) */
	bool has_set_aside;              /* what is left of it was put aside, as if it were lost */
	bool is_held;
	uint8_t mismatches;              /* reads in a row that did not fit the checksum */
	struct spool_read_task *read_task;       /* under way; those that ask now share it */
	struct compaction_copy *copy;           /* compaction reads it */
	struct lost_record_task *lost_task;          /* under way */
	struct stored_message_wait *wait; /* compaction could not read it the last time; or NULL */
	struct str held_why;             /* owned */
	struct spool_recipient *recipients; /* NULL: all as at first */
};

struct stored_message *stored_message_new(struct msgid id, uint32_t recipient_count);
/* Leaves its segment. */
void stored_message_free(struct stored_message **i);

/* The record of this message stands there now. */
void stored_message_move(
    struct stored_message *i, struct segment *s, uint32_t offset, uint32_t frame_bytes);
/* Recipients beyond the count are ignored; settled stays settled. */
void stored_message_set_status(struct stored_message *i, const struct spool_recipient *status);
/* It could not be read; returns for how long that is so. */
int64_t stored_message_set_unreadable(struct stored_message *i, int64_t now_ms);
/* What its segment waits for is looked at anew. */
void stored_message_set_readable(struct stored_message *i);
void stored_message_set_hold(struct stored_message *i, bool is_held, struct str why);
bool stored_message_is_settled(const struct stored_message *i);
void stored_message_describe(const struct stored_message *i, struct spool_message *out);

/* Where a message's frame stands: all that a thread needs that may not look at the item. */
struct stored_message_position {
	struct msgid id;
	uint32_t slot;                   /* names the segment */
	int fd;                          /* of the segment, which must stay while it is read */
	uint64_t tag;
	uint32_t offset;
	uint32_t frame_bytes;
};

/* false: it is not durable yet. */
bool stored_message_locate(
    const struct stored_message *i, struct stored_message_position *out) MUST_USE;
/* Is that still its place, in that segment? */
bool stored_message_is_at(const struct stored_message *i, const struct segment *s,
    const struct stored_message_position *position);
/*
 * Reads the frame and checks it again; strings of *out point into room.  0, or an errno: EBADMSG
 * when what was read does not fit its checksum.
 */
int stored_message_read_at(const struct stored_message_position *position, struct fsio *io,
    struct buf *buffer, struct frame_entry *out) MUST_USE;
/* What the result of a fetch means: SPOOL_FAULT_MISREAD for the first EBADMSG in a row, which
 * memory or a bus may have caused; so EBADMSG is proof that the disk has lost it. */
int stored_message_judge_read(struct stored_message *i, int error) MUST_USE;
/* The three in one. */
int stored_message_read(struct stored_message *i, struct fsio *io, struct buf *buffer,
    struct frame_entry *out) MUST_USE;

#endif

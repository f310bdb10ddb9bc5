/*
 * stored_message: what is in memory of one message: the position of its record in the log, its
 * hold, and the statuses of its recipients.  The content stays on the disk.  The event loop changes
 * it; threads get a copy of the position.
 */
#ifndef SPOOL_STORED_MESSAGE_H
#define SPOOL_STORED_MESSAGE_H

#include "spool/segment.h"

struct spool_read_task;
struct compaction_copy;
struct lost_record_task;

/* When the message could not be read; monotonic. */
struct stored_message_wait {
	int64_t since_ms;                /* it cannot be read since then */
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
	uint32_t open_appends;           /* appends about it that are in progress */
	bool in_file;
	bool is_lost;                    /* its record has no content (spool/lost_record.h) */
	bool has_set_aside;              /* files were set aside of it, as if it were lost */
	bool is_held;
	uint8_t mismatches;              /* reads in a row that did not match the checksum */
	struct spool_read_task *read_task; /* in progress; new requests share it */
	struct compaction_copy *copy;    /* compaction reads it */
	struct lost_record_task *lost_task; /* it is being set aside */
	struct stored_message_wait *wait; /* compaction could not read it the last time; or NULL */
	struct str held_why;             /* owned */
	struct spool_recipient *recipients; /* NULL: all in the initial state */
};

/* Returns a new message, not durable yet; stored_message_free frees it. */
struct stored_message *stored_message_new(struct msgid id, uint32_t recipient_count);
/* Takes the message out of its segment, frees it and sets *i to NULL; *i may be NULL. */
void stored_message_free(struct stored_message **i);

/* The record of the message has this position now. */
void stored_message_move(
    struct stored_message *i, struct segment *s, uint32_t offset, uint32_t frame_bytes);
/* Sets the status of a recipient.  Numbers above the count are ignored; a settled recipient stays
 * settled. */
void stored_message_set_status(struct stored_message *i, const struct spool_recipient *status);
/* Records that it could not be read; returns since how many milliseconds. */
int64_t stored_message_set_unreadable(struct stored_message *i, int64_t now_ms);
/* Records that it can be read again; its segment is examined anew. */
void stored_message_set_readable(struct stored_message *i);
/* Sets or ends the hold; why is copied. */
void stored_message_set_hold(struct stored_message *i, bool is_held, struct str why);
/* Are all recipients settled? */
bool stored_message_is_settled(const struct stored_message *i);
/* Fills in *out, except for the envelope; its strings stay those of i. */
void stored_message_describe(const struct stored_message *i, struct spool_message *out);

/* The position of a message's frame: all that a thread needs, which may not access the message
 * itself. */
struct stored_message_position {
	struct msgid id;
	uint32_t slot;                   /* names the segment */
	int fd;                          /* of the segment, which must stay open during the read */
	uint64_t tag;
	uint32_t offset;
	uint32_t frame_bytes;
};

/* Fills in the position.  False: the message is not durable yet. */
bool stored_message_locate(
    const struct stored_message *i, struct stored_message_position *out) MUST_USE;
/* Is this still its position, in that segment? */
bool stored_message_is_at(const struct stored_message *i, const struct segment *s,
    const struct stored_message_position *position);
/*
 * Reads the frame and checks it again; strings of *out point into buffer.  0, or an errno: EBADMSG
 * when the bytes do not match their checksum.
 */
int stored_message_read_at(const struct stored_message_position *position, struct fsio *io,
    struct buf *buffer, struct frame_entry *out) MUST_USE;
/* Interprets the result of a read: SPOOL_FAULT_MISREAD for the first EBADMSG in a row, which memory
 * or a bus may have caused; so EBADMSG proves that the disk has lost the record. */
int stored_message_judge_read(struct stored_message *i, int error) MUST_USE;
/* Locates, reads and judges in one call. */
int stored_message_read(struct stored_message *i, struct fsio *io, struct buf *buffer,
    struct frame_entry *out) MUST_USE;

#endif

/*
 * stored_message: what is in memory of one message: the position of its record in the log, its
 * hold, and which recipients are settled.  The content stays on the disk; what became of each
 * recipient is known to the owner of the statuses (spool_statuses.h).  The event loop changes it;
 * threads get a copy of the position.  There may be millions: what few of them need is in an
 * extra, which is allocated with the first of it and freed with the last.
 */
#ifndef SPOOL_STORED_MESSAGE_H
#define SPOOL_STORED_MESSAGE_H

#include "base/slab.h"
#include "spool/segment.h"

struct spool_read_task;
struct compaction_copy;
struct lost_record_task;

/* When the message could not be read; monotonic. */
struct stored_message_wait {
	int64_t since_ms;                /* it cannot be read since then */
	int64_t next_ms;                 /* not tried again before */
};

struct stored_message_extra {
	struct spool_read_task *read_task; /* in progress; new requests share it */
	struct compaction_copy *copy;    /* compaction reads it */
	struct lost_record_task *lost_task; /* it is being set aside */
	struct stored_message_wait *wait; /* compaction could not read it the last time; or NULL */
	struct str held_why;             /* owned */
	uint64_t body_bytes;             /* of a body in a file */
	uint64_t *settled;               /* a bit for each recipient; NULL: none is settled */
};

/* Bits for a size within a frame, for a number of recipients, for appends in progress. */
enum {
	STORED_MESSAGE_SIZE_BITS = 21,
	STORED_MESSAGE_COUNT_BITS = 10,
	STORED_MESSAGE_OPEN_BITS = 22,
};

_Static_assert(FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX < 1 << STORED_MESSAGE_SIZE_BITS &&
	SPOOL_RECIPIENTS_MAX < 1 << STORED_MESSAGE_COUNT_BITS &&
	SPOOL_WAITING_MAX / FRAME_ALIGN + SPOOL_ENTRIES_MAX < 1 << STORED_MESSAGE_OPEN_BITS,
    "the fields of a stored message are wide enough");

/* In a slab (base/slab.h), which its index owns. */
struct stored_message {
	union {
		struct msgid id;
		struct {
			uint64_t session_of_id;
			uint32_t number_of_id;
			/* number of the next message in its bucket of the index; it uses the
			 * padding of the id, which is set once and before it */
			uint32_t next_in_bucket;
		};
	};
	struct segment *segment;         /* NULL: not durable yet */
	struct stored_message_extra *extra; /* or NULL; see stored_message_extra */
	uint32_t next;                   /* in its segment, in log order: number in the slab */
	uint32_t previous;
	uint32_t offset;                 /* of its frame */
	uint32_t body_bytes_inline;
	uint64_t envelope_bytes : STORED_MESSAGE_SIZE_BITS;
	uint64_t header_bytes : STORED_MESSAGE_SIZE_BITS;
	uint64_t frame_bytes : STORED_MESSAGE_SIZE_BITS; /* header and payload */
	uint64_t is_held : 1;
	uint64_t recipient_count : STORED_MESSAGE_COUNT_BITS;
	uint64_t settled_count : STORED_MESSAGE_COUNT_BITS;
	uint64_t open_appends : STORED_MESSAGE_OPEN_BITS; /* about it, in progress */
	uint64_t mismatches : 2;         /* reads in a row that did not match the checksum */
	uint64_t in_file : 1;
	uint64_t is_lost : 1;            /* its record has no content (spool/lost_record.h) */
	uint64_t has_set_aside : 1;      /* files were set aside of it, as if it were lost */
	/* the log says that the owner of the statuses does not know it */
	uint64_t is_unowned : 1;
};

/* Returns a new message, not durable yet; stored_message_free frees it. */
struct stored_message *stored_message_new(
    struct slab *slab, struct msgid id, uint32_t recipient_count);
/* Takes the message out of its segment, frees it and sets *i to NULL; *i may be NULL. */
void stored_message_free(struct stored_message **i);

/* The record of the message has this position now. */
void stored_message_move(
    struct stored_message *i, struct segment *s, uint32_t offset, uint32_t frame_bytes);
/* The next message of its segment, in log order; NULL: it is the last one. */
struct stored_message *stored_message_next(const struct stored_message *i);
/* Its extra, allocated when there is none. */
struct stored_message_extra *stored_message_ensure_extra(struct stored_message *i);
/* Frees the extra when nothing in it is set. */
void stored_message_drop_extra(struct stored_message *i);
/* The content of its extra; all zeros when there is none. */
const struct stored_message_extra *stored_message_extra(const struct stored_message *i);
/* The size of its body, inline or in a file. */
uint64_t stored_message_body_bytes(const struct stored_message *i);
/* Sets sizes and kind by the record. */
void stored_message_set_sizes(struct stored_message *i, const struct frame_entry *r);
/* The recipient, from 1, is settled, and stays so.  Numbers above the count are ignored. */
void stored_message_settle(struct stored_message *i, uint32_t number);
/* Is the recipient settled? */
bool stored_message_has_settled(const struct stored_message *i, uint32_t number);
/* Records that it could not be read; returns since how many milliseconds. */
int64_t stored_message_set_unreadable(struct stored_message *i, int64_t now_ms);
/* Records that it can be read again; its segment is examined anew. */
void stored_message_set_readable(struct stored_message *i);
/* Sets or ends the hold; why is copied. */
void stored_message_set_hold(struct stored_message *i, bool is_held, struct str why);
/* Are all recipients settled? */
bool stored_message_is_settled(const struct stored_message *i);
/* Fills in *out, except for the envelope and the statuses; its strings stay those of i. */
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

/*
 * stored_message: what memory knows of one message: where its record stands, and the state of its
 * recipients.
 */
#ifndef SPOOL_STORED_MESSAGE_H
#define SPOOL_STORED_MESSAGE_H

#include "spool/segment.h"

struct reading;
struct survivor;
struct loss;

/* Monotonic. */
struct item_wait {
	int64_t since_ms;                /* it cannot be read */
	int64_t next_ms;                 /* not tried again before */
};

struct item {
	struct item *next;               /* in its segment, in log order */
	struct item *previous;
	struct msgid id;
	struct segment *segment;         /* NULL: not durable yet */
	uint32_t offset;                 /* of its frame */
	uint32_t frame_bytes;            /* header and payload */
	uint32_t envelope_bytes;
	uint32_t header_bytes;
	uint64_t body_bytes;
	uint32_t recipient_count;
	uint32_t settled_count;
	uint32_t open;                   /* appends that speak of it and are under way */
	bool in_file;
	bool is_lost;                    /* its record is without content (spool/lost_record.h) */
	bool is_aside;                   /* what is left of it was put aside, as if it were lost */
	bool is_held;
	uint8_t mismatches;              /* reads in a row that did not fit the checksum */
	struct reading *reading;         /* under way; those that ask now share it */
	struct survivor *survivor;       /* compaction reads it */
	struct loss *loss;               /* under way */
	struct item_wait *wait;          /* compaction could not read it the last time; or NULL */
	struct str held_why;             /* owned */
	struct spool_recipient *recipients; /* NULL: all as at first */
};

struct item *item_new(struct msgid id, uint32_t recipient_count);
/* Leaves its segment. */
void item_free(struct item **i);

/* The record of this message stands there now. */
void item_move(struct item *i, struct segment *s, uint32_t offset, uint32_t frame_bytes);
/* Recipients beyond the count are ignored; settled stays settled. */
void item_set_status(struct item *i, const struct spool_recipient *status);
/* It could not be read; returns for how long that is so. */
int64_t item_set_unreadable(struct item *i, int64_t now_ms);
/* What its segment waits for is looked at anew. */
void item_set_readable(struct item *i);
void item_set_hold(struct item *i, bool is_held, struct str why);
bool item_is_settled(const struct item *i);
void item_describe(const struct item *i, struct spool_message *out);

/* Where a message's frame stands: all that a thread needs that may not look at the item. */
struct item_place {
	struct msgid id;
	uint32_t slot;                   /* names the segment */
	int fd;                          /* of the segment, which must stay while it is read */
	uint64_t tag;
	uint32_t offset;
	uint32_t frame_bytes;
};

/* false: it is not durable yet. */
bool item_where(const struct item *i, struct item_place *out) MUST_USE;
/* Is that still its place, in that segment? */
bool item_is_at(const struct item *i, const struct segment *s, const struct item_place *place);
/*
 * Reads the frame and checks it again; strings of *out point into room.  0, or an errno: EBADMSG
 * when what was read does not fit its checksum.
 */
int item_fetch(const struct item_place *place, struct fsio *io, struct buf *room,
    struct record *out) MUST_USE;
/* What the result of a fetch means: FINDING_MISREAD for the first EBADMSG in a row, which memory or
 * a bus may have caused; so EBADMSG is proof that the disk has lost it. */
int item_judge(struct item *i, int error) MUST_USE;
/* The three in one. */
int item_read(struct item *i, struct fsio *io, struct buf *room, struct record *out) MUST_USE;

#endif

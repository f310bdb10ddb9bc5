/*
 * frame: the bytes of the spool's log (doc/SPOOL.md).  A frame is what becomes durable together:
 * a header of 64 bytes with two checksums, and entries.  All is little endian.  What is read is
 * hostile: a frame is accepted only under the tag of its segment, a random number that no stranger
 * knows, so that neither an older use of the file nor a message's text can pass for one.
 */
#ifndef SPOOL_FRAME_H
#define SPOOL_FRAME_H

#include "spool/spool.h"

enum {
	RECORD_ALIGN = 64,              /* frames begin at multiples of it */
	RECORD_HEADER_BYTES = 64,
	RECORD_PAYLOAD_MAX = 1 << 20,
	RECORD_BODY_MAX = 1 << 30,      /* of a file: its sums take 64 KiB */
	RECORD_ENTRY_BYTES = 8,         /* type and length before each entry */
};

enum record_type {
	RECORD_MESSAGE = 1,
	RECORD_STATUS = 2,
	RECORD_HOLD = 3,
	RECORD_NOTE = 4,
	RECORD_SEAL = 5,
	RECORD_CRITICAL = 1 << 15,      /* from here up: a reader that does not know it must stop */
};

struct record_frame {
	uint64_t tag;
	uint64_t sequence;
	uint64_t durable;               /* highest sequence durable when this was written */
	int64_t newest_ms;
	uint32_t span;                  /* from this frame to the next */
	uint32_t payload_bytes;
	uint32_t payload_crc;
	uint32_t entries;
	uint32_t version;               /* of the format that a reader must know; 0 stands for 1 */
};

/* The log before `end` of segment `generation` stands; all after it, up to this one, never was. */
struct record_seal {
	uint64_t generation;
	uint64_t last_sequence;
	uint32_t end;
};

struct record {
	enum record_type type;
	struct spool_entry entry;       /* not of seals */
	uint64_t body_bytes;            /* of messages, also of those with their body in a file */
	struct record_seal seal;
	struct str unknown;             /* contents of a type that this version does not know */
};

/* Fixed parts, for reckoning sizes. */
size_t record_bytes(const struct spool_entry *e);
/* What a new message with such a body file has more: room for the sums. */
size_t record_parts_bytes(uint64_t body_bytes);

/* A new message with a file (fd not -1) gets zeros for its sums, at the end: they are filled in
 * when the body is durable. */
void record_put(struct buf *out, const struct spool_entry *e, uint64_t body_bytes);
void record_put_seal(struct buf *out, const struct record_seal *seal);

/* Is it of a newer version, and must not be passed over? */
static inline bool
record_is_critical(uint32_t type)
{
	return type >= RECORD_CRITICAL;
}

static inline bool
record_is_known(uint32_t type)
{
	return type >= RECORD_MESSAGE && type <= RECORD_SEAL;
}

/* Takes the next entry off *rest.  False at the end, and with *bad_out at malformed bytes and at a
 * type that must be understood and is not: then out->type says which. */
bool record_next(struct str *rest, struct record *out, bool *bad_out) MUST_USE;

/* at: 64 bytes. */
void record_frame_write(const struct record_frame *f, char *at);
/* Is there a whole header under this tag?  The span is not checked against any room. */
bool record_frame_read(struct str bytes, uint64_t tag, struct record_frame *out) MUST_USE;
/* Of a whole frame header, whatever its tag is. */
bool record_frame_tag(struct str bytes, uint64_t *tag_out) MUST_USE;
/* Header and payload: bytes begins with the frame and holds at least its payload. */
bool record_frame_check(struct str bytes, uint64_t tag, struct record_frame *out) MUST_USE;

static inline uint32_t
record_span(size_t payload_bytes)
{
	return (uint32_t)((RECORD_HEADER_BYTES + payload_bytes + RECORD_ALIGN - 1) &
	    ~(size_t)(RECORD_ALIGN - 1));
}

#endif

/*
 * frame: the bytes of the spool's log (doc/SPOOL.md).  A frame is what becomes durable together:
 * a header of 64 bytes with two checksums, and entries.  All is little endian.  What is read is
 * hostile: a frame is accepted only under the tag of its segment, a random number that no stranger
 * knows, so that neither an older use of the file nor a message's text can pass for one.
 */
#ifndef SPOOL_FRAME_H
#define SPOOL_FRAME_H

#include "base/buf.h"
#include "base/fsio.h"
#include "spool/spool_types.h"

enum {
	FRAME_ALIGN = 64,              /* frames begin at multiples of it */
	FRAME_HEADER_BYTES = 64,
	FRAME_PAYLOAD_MAX = 1 << 20,
	FRAME_BODY_MAX = 1 << 30,      /* of a file: its sums take 64 KiB */
	FRAME_ENTRY_HEADER_BYTES = 8,         /* type and length before each entry */
};

enum frame_entry_type {
	FRAME_MESSAGE = 1,
	FRAME_STATUS = 2,
	FRAME_HOLD = 3,
	FRAME_NOTE = 4,
	FRAME_SEAL = 5,
	FRAME_CRITICAL = 1 << 15,      /* from here up: a reader that does not know it must stop */
};

struct frame_header {
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
struct frame_seal {
	uint64_t generation;
	uint64_t last_sequence;
	uint32_t end;
};

struct frame_entry {
	enum frame_entry_type type;
	struct spool_entry entry;       /* not of seals */
	uint64_t body_bytes;            /* of messages, also of those with their body in a file */
	struct frame_seal seal;
	struct str unknown;             /* contents of a type that this version does not know */
};

/* Fixed parts, for reckoning sizes. */
size_t frame_entry_bytes(const struct spool_entry *e);
/* What a new message with such a body file has more: room for the sums. */
size_t frame_parts_bytes(uint64_t body_bytes);

/* A new message with a file (fd not -1) gets zeros for its sums, at the end: they are filled in
 * when the body is durable. */
void frame_put_entry(struct buf *out, const struct spool_entry *e, uint64_t body_bytes);
void frame_put_seal(struct buf *out, const struct frame_seal *seal);

/* Is it of a newer version, and must not be passed over? */
static inline bool
frame_is_critical(uint32_t type)
{
	return type >= FRAME_CRITICAL;
}

static inline bool
frame_is_known(uint32_t type)
{
	return type >= FRAME_MESSAGE && type <= FRAME_SEAL;
}

/* Takes the next entry off *rest.  False at the end, and with *bad_out at malformed bytes and at a
 * type that must be understood and is not: then out->type says which. */
bool frame_next_entry(struct str *rest, struct frame_entry *out, bool *bad_out) MUST_USE;

/* at: 64 bytes. */
void frame_header_write(const struct frame_header *f, char *at);
/* Is there a whole header under this tag?  The span is not checked against any room. */
bool frame_header_read(struct str bytes, uint64_t tag, struct frame_header *out) MUST_USE;
/* Of a whole frame header, whatever its tag is. */
bool frame_header_tag(struct str bytes, uint64_t *tag_out) MUST_USE;
/* Header and payload: bytes begins with the frame and holds at least its payload. */
bool frame_check(struct str bytes, uint64_t tag, struct frame_header *out) MUST_USE;

static inline uint32_t
frame_span(size_t payload_bytes)
{
	return (uint32_t)((FRAME_HEADER_BYTES + payload_bytes + FRAME_ALIGN - 1) &
	    ~(size_t)(FRAME_ALIGN - 1));
}

#endif

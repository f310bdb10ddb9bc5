/*
 * frame: the format of the spool's log (doc/SPOOL.md).  A frame is what becomes durable together: a
 * header of 64 bytes with two checksums, and entries.  All numbers are little endian.  What is read
 * is untrusted: a frame is accepted only with the tag of its segment, a random number that no
 * sender of mail knows, so that neither an earlier use of the file nor the text of a message can
 * pass for a frame.
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
	FRAME_BODY_MAX = 1 << 30,      /* of a body file: its checksums take 64 KiB */
	FRAME_ENTRY_HEADER_BYTES = 8,         /* type and length before each entry */
};

enum frame_entry_type {
	FRAME_MESSAGE = 1,
	FRAME_STATUS = 2,
	FRAME_HOLD = 3,
	FRAME_NOTE = 4,
	FRAME_SEAL = 5,
	/* from here on: a reader that does not know the type must stop */
	FRAME_CRITICAL = 1 << 15,
};

struct frame_header {
	uint64_t tag;
	uint64_t sequence;
	/* highest sequence number that was durable when this was written */
	uint64_t durable;
	int64_t newest_ms;
	uint32_t span;                   /* from this frame to the next */
	uint32_t payload_bytes;
	uint32_t payload_crc;
	uint32_t entries;
	uint32_t version;                /* of the format that a reader must know; 0 stands for 1 */
};

/* The log before `end` of segment `generation` is valid; all that was written after it, up to this
 * seal, is void. */
struct frame_seal {
	uint64_t generation;
	uint64_t last_sequence;
	uint32_t end;
};

struct frame_entry {
	enum frame_entry_type type;
	struct spool_entry entry;        /* not of seals */
	uint64_t body_bytes;             /* of messages, also of those with a body file */
	struct frame_seal seal;
	/* contents of an entry whose type this version does not know */
	struct str unknown;
};

/* The encoded size of an entry, without the parts of a body file. */
size_t frame_entry_bytes(const struct spool_entry *e);
/* The additional size of a new message with such a body file: its checksums. */
size_t frame_parts_bytes(uint64_t body_bytes);

/* Encodes an entry.  A new message with a file (fd not -1) gets zeros for its checksums, at the
 * end: they are filled in when the body is durable. */
void frame_put_entry(struct buf *out, const struct spool_entry *e, uint64_t body_bytes);
/* Encodes a seal as an entry. */
void frame_put_seal(struct buf *out, const struct frame_seal *seal);

/* Is the type one of a newer version that must not be skipped? */
static inline bool
frame_is_critical(uint32_t type)
{
	return type >= FRAME_CRITICAL;
}

/* Does this version know the type? */
static inline bool
frame_is_known(uint32_t type)
{
	return type >= FRAME_MESSAGE && type <= FRAME_SEAL;
}

/* Takes the next entry from *rest.  False at the end; also, with *bad_out, at malformed bytes and
 * at a type that this version must know and does not: then out->type is that type. */
bool frame_next_entry(struct str *rest, struct frame_entry *out, bool *bad_out) MUST_USE;

/* Writes the header to `at`, 64 bytes. */
void frame_header_write(const struct frame_header *f, char *at);
/* Is there a complete header with this tag?  The span is not compared with the size of any file. */
bool frame_header_read(struct str bytes, uint64_t tag, struct frame_header *out) MUST_USE;
/* The tag of any complete frame header. */
bool frame_header_tag(struct str bytes, uint64_t *tag_out) MUST_USE;
/* Checks header and payload: bytes begins with the frame and holds at least its payload. */
bool frame_check(struct str bytes, uint64_t tag, struct frame_header *out) MUST_USE;

/* The bytes of a frame with such a payload, padding included. */
static inline uint32_t
frame_span(size_t payload_bytes)
{
	return (uint32_t)((FRAME_HEADER_BYTES + payload_bytes + FRAME_ALIGN - 1) &
	    ~(size_t)(FRAME_ALIGN - 1));
}

#endif

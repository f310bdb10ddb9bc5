/*
 * segment: one file of the log: a header of 4096 bytes, then frames.  A file is used again and
 * again: each use has a higher generation and a new random tag, under which its frames stand.
 */
#ifndef QUEUE_SEGMENT_H
#define QUEUE_SEGMENT_H

#include "queue/record.h"

enum {
	SEGMENT_DATA = 4096,             /* where frames begin */
	SEGMENT_SECTOR = 512,            /* what the disk writes whole or not at all */
	SEGMENT_VERSION = 1,
	SEGMENT_NAME_BYTES = 24,
	SEGMENT_SLOTS_MAX = 1 << 20,
};

struct item;

struct segment {
	struct segment *next;            /* newer, or the next of whatever list it is in */
	uint32_t slot;                   /* names the file */
	int fd;
	uint64_t generation;             /* 0: free */
	uint64_t tag;
	uint32_t bytes;                  /* of the file when full */
	/* the loop's side */
	struct item *items;              /* live messages whose record stands here, in log order */
	struct item *last_item;
	uint64_t live_count;
	uint64_t live_bytes;
	bool is_damaged;                 /* survivors could not be read: stays as it is */
};

/* "seg-00000007"; returns out. */
char *segment_name(uint32_t slot, char out[SEGMENT_NAME_BYTES]);
/* While it is made: "new-00000007". */
char *segment_new_name(uint32_t slot, char out[SEGMENT_NAME_BYTES]);
bool segment_parse_name(const char *name, const char *prefix, uint32_t *slot_out) MUST_USE;

struct segment *segment_new(uint32_t slot, int fd, uint32_t bytes);
/* Closes. */
void segment_free(struct segment **s, struct fsio *io);

/* Writes generation, tag and size, and syncs; -1 with errno: what stands there now is unknown. */
int segment_write_header(const struct segment *s, struct fsio *io) MUST_USE;
enum segment_verdict { SEGMENT_GOOD, SEGMENT_BAD, SEGMENT_FOREIGN };
/* FOREIGN: of a version that this program must not touch. */
enum segment_verdict segment_read_header(struct segment *s, struct fsio *io) MUST_USE;

/* A new random tag. */
uint64_t segment_draw_tag(void);

/* All of v, whatever the system makes of it; -1 with errno.  v is used up. */
int segment_write(struct fsio *io, int fd, struct iovec *v, int count, off_t at) MUST_USE;
/* Fills the room as far as the file goes; what cannot be read is zero.  Returns how much. */
size_t segment_read(struct fsio *io, int fd, struct iovec room, off_t at) MUST_USE;

#endif

/*
 * segment: one file of the log: a header of 4096 bytes, then frames.  A file is used again and
 * again: each use has a higher generation and a new random tag, under which its frames stand.  The
 * header also says what the spool knew of all its segments when it was written (struct
 * segment_mark), so that a file that is missing is told from one that was freed.
 */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include "spool/frame.h"

enum {
	SEGMENT_DATA = 4096,             /* where frames begin */
	SEGMENT_SECTOR = 512,            /* what the disk writes whole or not at all */
	SEGMENT_VERSION = 1,
	SEGMENT_NAME_BYTES = 24,
	SEGMENT_SET_ASIDE_BYTES = 48,
	SEGMENT_SLOTS_MAX = 1 << 20,
	SEGMENT_SALVAGE_BYTES = 4096,    /* what one unreadable place costs */
	SEGMENT_MARK_AT = 2048,          /* sectors in which the mark alone is written anew */
	SEGMENT_MARK_SLOTS = 2,          /* in turn: one that is torn leaves the other */
	SEGMENT_MISSING_MAX = 48,
};

struct stored_message;

/* True for ever once it is true: what is read from several headers adds up. */
struct segment_mark {
	bool is_known;                   /* false: 0.1.0 wrote the header */
	uint64_t freed;                  /* no generation up to it is needed any more */
	/* of the oldest segment that is needed, or an older one; 0: not known */
	uint64_t oldest;
	unsigned missing_count;
	/* generations that are gone or cut short, and a start with --accept-damage went on; those
	 * that are freed by now as long as there is room, to tell if their file is put back */
	uint64_t missing[SEGMENT_MISSING_MAX];
};

struct segment {
	struct segment *next;            /* newer, or the next of whatever list it is in */
	uint32_t slot;                   /* names the file */
	int fd;
	uint64_t generation;             /* 0: free */
	uint64_t tag;
	uint32_t version;                /* of the format, as its header says */
	uint32_t bytes;                  /* of the file when full */
	/* the loop's side */
	struct stored_message *messages; /* live messages whose record stands here, in log order */
	struct stored_message *last_message;
	uint64_t live_count;
	uint64_t live_bytes;
	struct stored_message
	    *next_to_copy;               /* of the items: compaction looks at it next; or NULL */
	bool is_pass_done;               /* what is left waits for retry_ms, or is under way */
	uint32_t reads;                  /* under way: it is not used again before they end */
	int64_t retry_ms;                /* monotonic: some could not be read, then the next try */
	bool has_read_error;             /* a part could not be read, and not since */
	bool is_uncopied;                /* it has damage without a copy: set aside when freed */
	bool has_bad_start;              /* what stands where its first frame belongs is damaged */
	bool has_bad_header;             /* its tag was taken from its frames */
	/* parts cannot be read, or its header cannot be written: it is set aside, not used again */
	bool is_unusable;
};

/* "seg-00000007"; returns out. */
char *segment_name(uint32_t slot, char out[SEGMENT_NAME_BYTES]);
/* While it is made: "new-00000007". */
char *segment_new_name(uint32_t slot, char out[SEGMENT_NAME_BYTES]);
/* When it is set aside: "damaged-seg-00000007-TAG". */
char *segment_set_aside_name(const struct segment *s, char out[SEGMENT_SET_ASIDE_BYTES]);
bool segment_parse_name(const char *name, const char *prefix, uint32_t *slot_out) MUST_USE;

struct segment *segment_new(uint32_t slot, int fd, uint32_t bytes);
/* Closes. */
void segment_free(struct segment **s, struct fsio *io);

/* Writes generation, tag, size and mark, in one sector, and syncs; -1 with errno: what stands there
 * now is unknown. */
int segment_write_header(
    const struct segment *s, struct fsio *io, const struct segment_mark *mark) MUST_USE;
/* Zeros where the first frame belongs, synced. */
int segment_clear_start(const struct segment *s, struct fsio *io) MUST_USE;
/* The mark alone, into a segment in use, in the sector of its own with this number. */
int segment_write_mark(const struct segment *s, struct fsio *io, const struct segment_mark *mark,
    unsigned number) MUST_USE;
/* Into the other one: the sum of both; is_known of `to` stays. */
void segment_add_mark(struct segment_mark *to, const struct segment_mark *from);
/* false: there is no room for it, and it is not known; one that is freed is not asked for. */
bool segment_add_missing(struct segment_mark *mark, uint64_t generation) MUST_USE;
bool segment_is_missing(const struct segment_mark *mark, uint64_t generation);
/* The highest generation that it speaks of; 0: none. */
uint64_t segment_mark_last(const struct segment_mark *mark);
enum segment_header_state { SEGMENT_GOOD, SEGMENT_BAD, SEGMENT_FOREIGN };
/* 0, the verdict and the mark, FOREIGN: of a version (s->version) that this program must not touch.
 * -1 with errno: it could not be read, so nothing is known. */
int segment_read_header(struct segment *s, struct fsio *io, enum segment_header_state *state_out,
    struct segment_mark *mark_out) MUST_USE;

/* A new random tag. */
uint64_t segment_make_tag(void);

/* Not synced. */
int segment_write_zeros(struct fsio *io, int fd, uint32_t at, uint32_t bytes) MUST_USE;

/* Stretches of a file that cannot be read, in order. */
struct segment_holes {
	struct segment_hole { uint32_t from, to; } *item;
	size_t count;
	size_t cap;
	int error;                       /* of the last one */
};

/* Goes on behind places that the disk cannot read: they become zeros and are listed.  -1 with
 * errno: an error that says nothing about the disk's content, as ENOMEM, at *got_out. */
int segment_salvage(struct fsio *io, int fd, struct iovec buffer, struct segment_holes *holes,
    size_t *got_out) MUST_USE;
/* Is any byte of the stretch in a hole? */
bool segment_has_hole(const struct segment_holes *holes, uint32_t from, uint32_t to);
void segment_holes_clear(struct segment_holes *holes);
/* Does the error say that the disk has lost what stood there? */
bool segment_is_medium_error(int error);

#endif

/*
 * segment: one file of the log: a header of 4096 bytes, then frames.  A file is used again and
 * again: each use has a higher generation and a new random tag, which all its frames carry.  The
 * header also records what the spool knew of all its segments when it was written (struct
 * segment_mark), so that a missing file can be distinguished from one that was freed.  Nothing here
 * decides when a segment is used or freed.
 */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include "spool/frame.h"

enum {
	SEGMENT_DATA = 4096,             /* where frames begin */
	SEGMENT_SECTOR = 512,            /* what the disk writes completely or not at all */
	SEGMENT_VERSION = 1,
	SEGMENT_NAME_BYTES = 24,
	SEGMENT_SET_ASIDE_BYTES = 48,
	SEGMENT_SLOTS_MAX = 1 << 20,
	SEGMENT_SALVAGE_BYTES = 4096,    /* the unit in which unreadable bytes are skipped */
	SEGMENT_MARK_AT = 2048,          /* sectors into which the mark alone is written */
	SEGMENT_MARK_SLOTS = 2,          /* used in turn: if one is torn, the other is valid */
	SEGMENT_MISSING_MAX = 48,
};

struct stored_message;

/* Facts that stay true once they are true: so those of several headers can be merged. */
struct segment_mark {
	bool is_known;                   /* false: 0.1.0 wrote the header */
	uint64_t freed;                  /* no generation up to it is needed any more */
	/* generation of the oldest segment that is needed, or of an older one; 0: not known */
	uint64_t oldest;
	unsigned missing_count;
	/* generations that are missing or truncated, after a start with --accept-damage accepted
	 * that; those that are freed by now too, as long as there is room, in case their file is
	 * put back */
	uint64_t missing[SEGMENT_MISSING_MAX];
};

struct segment {
	struct segment *next;            /* the next newer one, or the next of its list */
	uint32_t slot;                   /* gives the name of the file */
	int fd;
	uint64_t generation;             /* 0: free */
	uint64_t tag;
	uint32_t version;                /* of the format, from its header */
	uint32_t bytes;                  /* of the file when full */
	/* used by the event loop */
	struct stored_message *messages; /* live messages with their record here, in log order */
	struct stored_message *last_message;
	uint64_t live_count;
	uint64_t live_bytes;
	/* the message that compaction examines next; or NULL */
	struct stored_message *next_to_copy;
	bool is_pass_done;               /* the rest waits for retry_ms, or is in progress */
	uint32_t reads;                  /* reads in progress: not used again before they end */
	int64_t retry_ms;                /* monotonic: when to retry what could not be read */
	bool has_read_error;             /* a part could not be read, and was not read since */
	bool is_uncopied;                /* it has damage without a copy: set aside when freed */
	bool has_bad_start;              /* the place of its first frame is damaged */
	bool has_bad_header;             /* its tag was taken from its frames */
	/* parts cannot be read, or its header cannot be written: it is set aside, not used again */
	bool is_unusable;
};

/* Writes the name of the file, "seg-00000007"; returns out. */
char *segment_name(uint32_t slot, char out[SEGMENT_NAME_BYTES]);
/* The name while the file is being made: "new-00000007". */
char *segment_new_name(uint32_t slot, char out[SEGMENT_NAME_BYTES]);
/* The name when the file is set aside: "damaged-seg-00000007-TAG". */
char *segment_set_aside_name(const struct segment *s, char out[SEGMENT_SET_ASIDE_BYTES]);
/* Is it a name with this prefix ("seg-", "new-")?  Then *slot_out is its number. */
bool segment_parse_name(const char *name, const char *prefix, uint32_t *slot_out) MUST_USE;

/* Returns a new segment, which segment_free frees; it owns fd. */
struct segment *segment_new(uint32_t slot, int fd, uint32_t bytes);
/* Closes the file, frees the segment and sets *s to NULL; *s may be NULL. */
void segment_free(struct segment **s, struct fsio *io);

/* Writes generation, tag, size and mark, in one sector, and syncs.  -1 with errno: the content of
 * that sector is unknown now. */
int segment_write_header(
    const struct segment *s, struct fsio *io, const struct segment_mark *mark) MUST_USE;
/* Writes zeros to the place of the first frame, and syncs. */
int segment_clear_start(const struct segment *s, struct fsio *io) MUST_USE;
/* Writes the mark alone, into a segment in use, to the mark sector of this number, and syncs. */
int segment_write_mark(const struct segment *s, struct fsio *io, const struct segment_mark *mark,
    unsigned number) MUST_USE;
/* Merges `from` into `to`, except for is_known. */
void segment_add_mark(struct segment_mark *to, const struct segment_mark *from);
/* False: there is no room for the generation, and it is not in the mark; one that is freed needs no
 * place. */
bool segment_add_missing(struct segment_mark *mark, uint64_t generation) MUST_USE;
/* Is the generation in the mark as missing or truncated? */
bool segment_is_missing(const struct segment_mark *mark, uint64_t generation);
/* The highest generation in the mark; 0: none. */
uint64_t segment_mark_last(const struct segment_mark *mark);
enum segment_header_state { SEGMENT_GOOD, SEGMENT_BAD, SEGMENT_FOREIGN };
/* Reads the header.  0: *state_out and *mark_out are set; FOREIGN: of a version (s->version) that
 * this program must not change.  -1 with errno: it could not be read, so nothing is known. */
int segment_read_header(struct segment *s, struct fsio *io, enum segment_header_state *state_out,
    struct segment_mark *mark_out) MUST_USE;

/* Returns a new random tag. */
uint64_t segment_make_tag(void);

/* Writes zeros without a sync. */
int segment_write_zeros(struct fsio *io, int fd, uint32_t at, uint32_t bytes) MUST_USE;

/* Ranges of a file that cannot be read, in order. */
struct segment_holes {
	struct segment_hole { uint32_t from, to; } *item;
	size_t count;
	size_t cap;
	int error;                       /* of the last one */
};

/* Reads a file and skips what the disk cannot read: those bytes become zeros, and their ranges are
 * listed.  -1 with errno: an error that is no evidence about the disk's content, like ENOMEM, at
 * offset *got_out. */
int segment_salvage(struct fsio *io, int fd, struct iovec buffer, struct segment_holes *holes,
    size_t *got_out) MUST_USE;
/* Is any byte of the range unreadable? */
bool segment_has_hole(const struct segment_holes *holes, uint32_t from, uint32_t to);
/* Frees the list. */
void segment_holes_clear(struct segment_holes *holes);
/* Does the error mean that the disk has lost the content? */
bool segment_is_medium_error(int error);

#endif

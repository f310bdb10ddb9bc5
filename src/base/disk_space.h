/*
 * disk_space: how much of the file system of the spool may be used, and how much is needed to
 * accept mail.  Pure computation: admission, the log and `config check` decide by it.
 */
#ifndef BASE_DISK_SPACE_H
#define BASE_DISK_SPACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	DISK_SPACE_SEGMENT_MAX = 64 << 20,    /* the usual segment size of the spool */
	DISK_SPACE_SEGMENT_MIN = 2 << 20,     /* the smallest that is chosen: any message fits */
	DISK_SPACE_SEGMENTS = 16,             /* of a small file system */
	DISK_SPACE_TEXT_BYTES = 240,
};

/* All in bytes. */
struct disk_space {
	uint64_t all_bytes;              /* size of the file system */
	uint64_t free_bytes;             /* free in it */
	uint64_t idle_bytes;             /* of segments without content: they count as free */
	uint64_t share_bytes;            /* must stay free (queue.minimum_free) */
	uint64_t reserve_bytes;          /* missing in the reserve of compaction */
	uint64_t segment_bytes;          /* missing in a new segment */
};

/* For a file system of this size: the bytes that must stay free, the bytes that may be used, and
 * the size of a new segment. */
uint64_t disk_space_share_bytes(uint64_t all_bytes, unsigned minimum_free_percent);
uint64_t disk_space_usable_bytes(uint64_t all_bytes, unsigned minimum_free_percent);
uint32_t disk_space_segment_bytes(uint64_t all_bytes, unsigned minimum_free_percent);

/* Is the share free?  Without it no message is accepted. */
bool disk_space_has_share(const struct disk_space *s);
/* Is there room for a new segment?  Without it messages are accepted only into existing
 * segments. */
bool disk_space_has_segment(const struct disk_space *s);
/* What is free and what is needed, as text for a person: for the share if that is not free, else
 * for a new segment.  In whole MiB whose sums are consistent; returns out. */
char *disk_space_format(const struct disk_space *s, char out[DISK_SPACE_TEXT_BYTES]);

#endif

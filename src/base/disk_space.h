/*
 * disk_space: what of the file system of the spool may be used, and what is needed to take mail
 * (pure). Admission, the log and `config check` judge by it.
 */
#ifndef BASE_DISK_SPACE_H
#define BASE_DISK_SPACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	DISK_SPACE_SEGMENT_MAX = 64 << 20,    /* the usual segment of the spool */
	DISK_SPACE_SEGMENT_MIN = 2 << 20,     /* the smallest that is chosen: any message fits */
	DISK_SPACE_SEGMENTS = 16,             /* a small file system is cut into as many segments */
	DISK_SPACE_TEXT_BYTES = 240,
};

/* All in bytes. */
struct disk_space {
	uint64_t all_bytes;              /* of the file system */
	uint64_t free_bytes;             /* of it */
	uint64_t idle_bytes;             /* of segments that hold nothing: they count as free */
	uint64_t share_bytes;            /* must stay free (queue.minimum_free) */
	uint64_t reserve_bytes;          /* of the reserve of compaction, where it is not there */
	uint64_t segment_bytes;          /* of a new segment, as far as it is not there */
};

/* Of a file system of so many bytes: what must stay free, what may be used, and a new segment. */
uint64_t disk_space_share_bytes(uint64_t all_bytes, unsigned minimum_free_percent);
uint64_t disk_space_usable_bytes(uint64_t all_bytes, unsigned minimum_free_percent);
uint32_t disk_space_segment_bytes(uint64_t all_bytes, unsigned minimum_free_percent);

/* Is the share free?  Without it no message is taken. */
bool disk_space_has_share(const struct disk_space *s);
/* May a new segment be made?  Without it messages are taken only into segments that are there. */
bool disk_space_has_segment(const struct disk_space *s);
/* What is free and what is needed, for a person: of the share where that is not free, else of a new
 * segment.  Whole MiB that add up; returns out. */
char *disk_space_format(const struct disk_space *s, char out[DISK_SPACE_TEXT_BYTES]);

#endif

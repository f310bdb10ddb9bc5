/*
 * disk_space: all numbers are passed in: no file system is asked. Sizes are divided by 100 before
 * they are multiplied, so that no product is too large. Texts round free space down and needed
 * space up, so that no refusal seems to be wrong by a MiB.
 */
#include "base/disk_space.h"

#include <stdio.h>

enum { DISK_SPACE_MIB = 1 << 20 };

uint64_t
disk_space_share_bytes(uint64_t all_bytes, unsigned minimum_free_percent)
{
	return all_bytes / 100 * minimum_free_percent;
}

uint64_t
disk_space_usable_bytes(uint64_t all_bytes, unsigned minimum_free_percent)
{
	return all_bytes / 100 * (100 - minimum_free_percent);
}

uint32_t
disk_space_segment_bytes(uint64_t all_bytes, unsigned minimum_free_percent)
{
	uint64_t usable = disk_space_usable_bytes(all_bytes, minimum_free_percent);
	uint64_t bytes =
	    usable / DISK_SPACE_SEGMENTS / DISK_SPACE_SEGMENT_MIN * DISK_SPACE_SEGMENT_MIN;

	if (bytes < DISK_SPACE_SEGMENT_MIN)
		return DISK_SPACE_SEGMENT_MIN;
	return bytes < DISK_SPACE_SEGMENT_MAX ? (uint32_t)bytes : DISK_SPACE_SEGMENT_MAX;
}

bool
disk_space_has_share(const struct disk_space *s)
{
	return s->free_bytes + s->idle_bytes >= s->share_bytes;
}

bool
disk_space_has_segment(const struct disk_space *s)
{
	/* a segment that is fully allocated needs no more */
	return s->segment_bytes == 0 ||
	    s->free_bytes >= s->share_bytes + s->reserve_bytes + s->segment_bytes;
}

static unsigned long long
disk_space_mib(uint64_t bytes)
{
	return bytes / DISK_SPACE_MIB;
}

/* Needed space is rounded up, so that the shown sum is more than the shown free space. */
static unsigned long long
disk_space_mib_up(uint64_t bytes)
{
	return (bytes + DISK_SPACE_MIB - 1) / DISK_SPACE_MIB;
}

static void
disk_space_format_share(const struct disk_space *s, char out[DISK_SPACE_TEXT_BYTES])
{
	char idle[80] = "";

	if (s->idle_bytes)
		snprintf(idle, sizeof idle, " (%llu MiB of that in segments that hold nothing)",
		    disk_space_mib(s->idle_bytes));
	snprintf(out, DISK_SPACE_TEXT_BYTES,
	    "%llu MiB of %llu MiB are free%s, and queue.minimum_free keeps %llu MiB",
	    disk_space_mib(s->free_bytes + s->idle_bytes), disk_space_mib(s->all_bytes), idle,
	    disk_space_mib_up(s->share_bytes));
}

static void
disk_space_format_segment(const struct disk_space *s, char out[DISK_SPACE_TEXT_BYTES])
{
	unsigned long long share = disk_space_mib_up(s->share_bytes);
	unsigned long long reserve = disk_space_mib_up(s->reserve_bytes);
	unsigned long long segment = disk_space_mib_up(s->segment_bytes);
	char of_reserve[60] = "";

	if (reserve)
		snprintf(of_reserve, sizeof of_reserve, ", %llu MiB for the reserve of compaction",
		    reserve);
	snprintf(out, DISK_SPACE_TEXT_BYTES,
	    "%llu MiB of %llu MiB are free, and a new segment needs %llu MiB: %llu MiB for "
	    "itself%s, and %llu MiB that queue.minimum_free keeps", disk_space_mib(s->free_bytes),
	    disk_space_mib(s->all_bytes), share + reserve + segment, segment, of_reserve, share);
}

char *
disk_space_format(const struct disk_space *s, char out[DISK_SPACE_TEXT_BYTES])
{
	if (disk_space_has_share(s))
		disk_space_format_segment(s, out);
	else
		disk_space_format_share(s, out);
	return out;
}

/*
 * disk_space: see the header.
 */
#include "base/disk_space.h"

#include <stdio.h>

enum { SPACE_MIB = 1 << 20 };

uint64_t
space_share_bytes(uint64_t all_bytes, unsigned minimum_free_percent)
{
	return all_bytes / 100 * minimum_free_percent;
}

uint64_t
space_usable_bytes(uint64_t all_bytes, unsigned minimum_free_percent)
{
	return all_bytes / 100 * (100 - minimum_free_percent);
}

uint32_t
space_segment_bytes(uint64_t all_bytes, unsigned minimum_free_percent)
{
	uint64_t usable = space_usable_bytes(all_bytes, minimum_free_percent);
	uint64_t bytes = usable / SPACE_SEGMENTS / SPACE_SEGMENT_MIN * SPACE_SEGMENT_MIN;

	if (bytes < SPACE_SEGMENT_MIN)
		return SPACE_SEGMENT_MIN;
	return bytes < SPACE_SEGMENT_MAX ? (uint32_t)bytes : SPACE_SEGMENT_MAX;
}

bool
space_has_share(const struct space *s)
{
	return s->free_bytes + s->idle_bytes >= s->share_bytes;
}

bool
space_has_segment(const struct space *s)
{
	/* one whose zeros are complete takes no more */
	return s->segment_bytes == 0 ||
	    s->free_bytes >= s->share_bytes + s->reserve_bytes + s->segment_bytes;
}

static unsigned long long
space_mib(uint64_t bytes)
{
	return bytes / SPACE_MIB;
}

/* What is needed is rounded up, so that the sum is more than what is free. */
static unsigned long long
space_mib_up(uint64_t bytes)
{
	return (bytes + SPACE_MIB - 1) / SPACE_MIB;
}

static void
space_tell_share(const struct space *s, char out[SPACE_TEXT_BYTES])
{
	char idle[80] = "";

	if (s->idle_bytes)
		snprintf(idle, sizeof idle, " (%llu MiB of that in segments that hold nothing)",
		    space_mib(s->idle_bytes));
	snprintf(out, SPACE_TEXT_BYTES,
	    "%llu MiB of %llu MiB are free%s, and queue.minimum_free keeps %llu MiB",
	    space_mib(s->free_bytes + s->idle_bytes), space_mib(s->all_bytes), idle,
	    space_mib_up(s->share_bytes));
}

static void
space_tell_segment(const struct space *s, char out[SPACE_TEXT_BYTES])
{
	unsigned long long share = space_mib_up(s->share_bytes);
	unsigned long long reserve = space_mib_up(s->reserve_bytes);
	unsigned long long segment = space_mib_up(s->segment_bytes);
	char of_reserve[60] = "";

	if (reserve)
		snprintf(of_reserve, sizeof of_reserve, ", %llu MiB for the reserve of compaction",
		    reserve);
	snprintf(out, SPACE_TEXT_BYTES,
	    "%llu MiB of %llu MiB are free, and a new segment needs %llu MiB: %llu MiB for "
	    "itself%s, and %llu MiB that queue.minimum_free keeps", space_mib(s->free_bytes),
	    space_mib(s->all_bytes), share + reserve + segment, segment, of_reserve, share);
}

char *
space_tell(const struct space *s, char out[SPACE_TEXT_BYTES])
{
	if (space_has_share(s))
		space_tell_segment(s, out);
	else
		space_tell_share(s, out);
	return out;
}

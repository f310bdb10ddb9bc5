/* disk_space: what may be used of the spool's file system, and how that is reported. */
#include <criterion/criterion.h>

#include "base/disk_space.h"

enum { MIB = 1 << 20 };

/* A file system of 464 MiB, of which 5 % must stay free. */
static struct disk_space
small(uint64_t free_mib)
{
	return (struct disk_space){.all_bytes = 464ull * MIB, .free_bytes = free_mib * MIB,
	    .share_bytes = disk_space_share_bytes(464ull * MIB, 5), .segment_bytes = 26ull * MIB};
}

Test(disk_space, of_a_file_system)
{
	cr_expect_eq(disk_space_share_bytes(1000 * MIB, 5), 50 * MIB);
	cr_expect_eq(disk_space_usable_bytes(1000 * MIB, 5), 950 * MIB);
	cr_expect_eq(disk_space_segment_bytes(464ull * MIB, 5), 26 * MIB);
	cr_expect_eq(disk_space_segment_bytes(40ull * MIB, 5), 2 * MIB);
	cr_expect_eq(disk_space_segment_bytes(100000ull * MIB, 5), 64 * MIB);
}

/* Filled by mail: the share is free, but there is no room for a new segment; the numbers are
 * consistent. */
Test(disk_space, without_room_for_a_segment)
{
	struct disk_space s = small(47);
	char text[DISK_SPACE_TEXT_BYTES];

	cr_expect(disk_space_has_share(&s) && !disk_space_has_segment(&s));
	cr_expect_str_eq(disk_space_format(&s, text),
	    "47 MiB of 464 MiB are free, and a new segment needs 50 MiB: 26 MiB for itself, and 24 "
	    "MiB that queue.minimum_free keeps");
	s.reserve_bytes = 26 * MIB;
	s.free_bytes = 60 * MIB;
	cr_expect_not(disk_space_has_segment(&s));
	cr_expect_str_eq(disk_space_format(&s, text),
	    "60 MiB of 464 MiB are free, and a new segment needs 76 MiB: 26 MiB for itself, 26 MiB "
	    "for the reserve of compaction, and 24 MiB that queue.minimum_free keeps");
	s.reserve_bytes = 0;
	cr_expect(disk_space_has_segment(&s));
}

/* Filled by another program: segments without content count as free. */
Test(disk_space, without_the_share)
{
	struct disk_space s = small(13);
	char text[DISK_SPACE_TEXT_BYTES];

	cr_expect(!disk_space_has_share(&s) && !disk_space_has_segment(&s));
	cr_expect_str_eq(disk_space_format(&s, text),
	    "13 MiB of 464 MiB are free, and queue.minimum_free keeps 24 MiB");
	s.idle_bytes = 6 * MIB;
	cr_expect_str_eq(disk_space_format(&s, text),
	    "19 MiB of 464 MiB are free (6 MiB of that in segments that hold nothing), and "
	    "queue.minimum_free keeps 24 MiB");
	s.idle_bytes = 52 * MIB;
	cr_expect(disk_space_has_share(&s));
}

Test(disk_space, the_longest_text_fits)
{
	struct disk_space s = {
	    UINT64_MAX, UINT64_MAX / 4, 0, UINT64_MAX / 4, UINT64_MAX / 4, UINT64_MAX / 4};
	char text[DISK_SPACE_TEXT_BYTES];

	cr_expect(strstr(disk_space_format(&s, text), "that queue.minimum_free keeps"), "%s", text);
}

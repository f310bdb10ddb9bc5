/* upkeep_disk: reads of bytes with the text "STUCK" do not end while they are blocked, or find
 * damage; nor do syncs end while they are blocked. */
#ifndef TESTS_UNIT_SPOOL_UPKEEP_DISK_H
#define TESTS_UNIT_SPOOL_UPKEEP_DISK_H

#include "rig.h"

enum { HOLE_MS = 100 };

struct upkeep_disk {
	/* reads with the text, syncs of a file that is set aside, other syncs */
	atomic_bool is_read_blocked, is_set_aside_blocked, is_log_blocked;
	atomic_int let_through;  /* so many reads with the text end all the same */
	atomic_int damaged_byte; /* inverts bits of one byte that they read */
	atomic_uint holes;       /* reads of one page, which all failed, each after HOLE_MS */
	atomic_bool has_holes;
	atomic_int set_aside_fd;
};

extern struct upkeep_disk upkeep_disk; /* each test runs in a process of its own */

/* Replaces reads, opens and syncs. */
void upkeep_disk_watch(struct fsio_ops *ops);

#endif

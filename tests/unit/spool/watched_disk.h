/* watched_disk: the calls of a spool's disk are counted, those of the event loop apart; those of one
 * operation stand still for as long as a test wants. */
#ifndef TESTS_UNIT_SPOOL_WATCHED_DISK_H
#define TESTS_UNIT_SPOOL_WATCHED_DISK_H

#include <pthread.h>

#include "rig.h"

enum operation {
	NONE, OPEN, OPEN_NAMELESS, NAME, CLOSE, PREAD, PWRITEV, INSPECT, SYNC_DATA, WRITE_BACK,
	SYNC_DIRECTORY, RENAME, UNLINK, LIST, OPERATIONS,
};

struct watched_disk {
	pthread_t loop;
	atomic_bool is_running;          /* not in spool_open or spool_close */
	atomic_uint in_loop[OPERATIONS]; /* calls of the event loop meanwhile */
	atomic_uint calls[OPERATIONS];   /* in other threads */
	atomic_int stuck_operation;      /* no call of this operation ends ... */
	atomic_int stuck_thread;         /* ... in that thread, or in all (-1) */
	atomic_uint stuck;               /* calls that did not end at once */
	atomic_int open_error;           /* of files without a name */
};

extern struct watched_disk watched; /* each test runs in a process of its own */

/* All but size and space, which read memory, and lock, which only a start calls. */
void watch_disk(struct fsio_ops *ops);

#endif

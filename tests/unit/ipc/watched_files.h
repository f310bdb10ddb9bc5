/* watched_files: the reads, writes and closes of files, which stand still, fail or are interrupted
 * as a test wants; a read or a write does a part, as a system call may. */
#ifndef TESTS_UNIT_IPC_WATCHED_FILES_H
#define TESTS_UNIT_IPC_WATCHED_FILES_H

#include <stdatomic.h>

#include "base/fsio.h"

enum operation { NONE, PREAD, PWRITEV, CLOSE };

struct watched_files {
	struct fsio *real;
	struct fsio_ops ops;
	struct fsio io;
	atomic_int stuck_fd;    /* calls for it block, */
	atomic_int stuck_in;    /* if they are of this kind */
	atomic_uint stuck;      /* number of calls that blocked */
	atomic_uint calls;
	atomic_int write_error;
	atomic_int interrupted; /* this many calls that read or write end with EINTR */
};

extern struct watched_files watched; /* each test runs in a process of its own */

void watched_files_begin(void);
/* Ends what stands still. */
void watched_files_release(void);
void watched_files_end(void);
/* From now on this operation of this file stands still, until stuck_in changes. */
void stand_still(enum operation which, int fd);
/* Waits until a call stands still. */
void await_stuck(void);

#endif

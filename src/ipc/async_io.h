/*
 * async_io: a thread reads, writes and closes files for an event loop, which a slow or stuck disk
 * then does not block.  Each file has one piece of work at a time, and the pieces of all files are
 * done in the order of the calls.  The thread also does the last close of a file, which may wait
 * for the disk.  A stuck piece is the problem of the role in base/metrics.h, which also gets its
 * duration.
 */
#ifndef IPC_ASYNC_IO_H
#define IPC_ASYNC_IO_H

#include <event2/event.h>

#include "base/str.h"
#include "base/tasks.h"

enum {
	ASYNC_IO_PIECE_MAX = 256 << 10, /* the most memory of one file */
	ASYNC_IO_END_MS = 500,          /* how long the end waits for the current piece */
};

struct async_io;
struct async_io_file;

struct async_io_setup {
	struct event_base *base;
	const struct stall_thread *thread; /* its name, and words for the log: see stall.h */
	/* for tests: */
	struct fsio *io;                 /* must live longer; NULL: the real disk */
	bool is_by_hand;                 /* no thread: the next turn of the loop does the work */
	uint32_t stall_ms;               /* 0: STALL_LOGGED_MS */
};

/* Called from the loop, once for each piece, and never from inside a call of these functions.
 * error: 0, or as errno.  bytes: what was read, valid until the next call for this file. */
typedef void async_io_fn(int error, struct str bytes, void *arg);

/* Call it in the sandbox, which needs SANDBOX_THREADS.  NULL with errno: no thread could be
 * started. */
struct async_io *async_io_new(const struct async_io_setup *setup) MUST_USE;
/* All files must have been dropped.  A piece that does not end in ASYNC_IO_END_MS is left to the
 * thread, which ends with the process. */
void async_io_free(struct async_io **d);

/* The file owns the descriptor from now on.  id: the message of the file, for the log. */
struct async_io_file *async_io_file_new(struct async_io *d, int fd, struct msgid id) MUST_USE;
/* Allowed in any state: there are no more callbacks.  The descriptor is closed after the current
 * piece; a piece that waits does not begin. */
void async_io_file_drop(struct async_io_file **f);
/* The number of files that are dropped and not closed yet, each with an open descriptor.  While the
 * disk is stuck it grows with each drop, so the owner opens no new files beyond a limit. */
size_t async_io_closing(const struct async_io *d);
/* A piece was requested and its callback has not come: no other may be requested. */
bool async_io_file_is_busy(const struct async_io_file *f);

/* How long the thread has been on its current piece, of any file; 0: it has none. */
int64_t async_io_stalled_ms(struct async_io *d);

/* Reads n bytes from `at`, all of them: EIO if the file ends before.  n: at most
 * ASYNC_IO_PIECE_MAX. */
void async_io_read(struct async_io_file *f, uint64_t at, size_t n, async_io_fn *fn, void *arg);
/* Writes all of the bytes, which are copied and at most ASYNC_IO_PIECE_MAX; does not sync. */
void async_io_write(
    struct async_io_file *f, uint64_t at, struct str bytes, async_io_fn *fn, void *arg);

#endif

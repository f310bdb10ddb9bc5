/*
 * async_io: files that a thread of the process reads, writes and closes for its loop, which a disk
 * that is slow, or stands still, then does not stop.  One piece of a file at a time, and the pieces
 * of all files in the order in which they were asked for.  The last close of a file may wait for
 * the disk too: the thread does it.  One that stands still is the trouble of the role, and for how
 * long it does is told as well (base/metrics.h).
 */
#ifndef IPC_ASYNC_IO_H
#define IPC_ASYNC_IO_H

#include <event2/event.h>

#include "base/str.h"
#include "base/tasks.h"

enum {
	ASYNC_IO_PIECE_MAX = 256 << 10, /* the memory that a file has at most */
	ASYNC_IO_END_MS = 500,          /* the end waits so long for a piece that is under way */
};

struct async_io;
struct async_io_file;

struct async_io_setup {
	struct event_base *base;
	const struct stall_thread *thread; /* for its name, and for the log: see stall.h */
	/* for tests: */
	struct fsio *io;                 /* outlives it; NULL: the real disk */
	bool is_by_hand;                 /* no thread: done by the loop when it comes again */
	uint32_t stall_ms;               /* 0: STALL_LOGGED_MS */
};

/* In the loop, once for each piece, and never from inside a call of these functions.  error: 0, or
 * as errno.  bytes: what was read, valid until the next call for this file. */
typedef void async_io_fn(int error, struct str bytes, void *arg);

/* In the sandbox, which needs SANDBOX_THREADS.  NULL with errno: there is no thread. */
struct async_io *async_io_new(const struct async_io_setup *setup) MUST_USE;
/* Every file was dropped before.  A piece that does not end in ASYNC_IO_END_MS is left to the
 * thread, which the end of the process ends. */
void async_io_free(struct async_io **d);

/* The descriptor belongs to the file from now on.  id: of its message, for the log. */
struct async_io_file *async_io_file_new(struct async_io *d, int fd, struct msgid id) MUST_USE;
/* In any state: nothing is told any more.  The descriptor is closed after the piece that is under
 * way; one that waits is not begun. */
void async_io_file_drop(struct async_io_file **f);
/* How many were dropped and are not closed yet, each with its descriptor: behind a call that does
 * not end they are as many as the owner drops, so it takes no new ones beyond a bound. */
size_t async_io_closing(const struct async_io *d);
/* A piece was asked for and its end was not told yet: none may be asked for. */
bool async_io_file_is_busy(const struct async_io_file *f);

/* For how long the thread has been at one piece, of whichever file; 0: at none. */
int64_t async_io_stalled_ms(struct async_io *d);

/* n bytes from `at`, all of them: a file that ends before is EIO.  n: at most ASYNC_IO_PIECE_MAX.
 */
void async_io_read(struct async_io_file *f, uint64_t at, size_t n, async_io_fn *fn, void *arg);
/* All of the bytes, which are copied and at most ASYNC_IO_PIECE_MAX; not synced. */
void async_io_write(
    struct async_io_file *f, uint64_t at, struct str bytes, async_io_fn *fn, void *arg);

#endif

/*
 * stall: records since when a thread that works for an event loop has been on its current piece of
 * work.  The loop checks each second.  A piece that does not end in time is logged, again at
 * intervals, and when it has ended; meanwhile it is the problem of the role in base/metrics.h.  So
 * the operator sees that a disk does not respond, and what waits for it.
 */
#ifndef BASE_STALL_H
#define BASE_STALL_H

#include <pthread.h>
#include <stdbool.h>

#include "base/id.h"
#include "base/str.h"

enum {
	STALL_LOGGED_MS = 30000,         /* a piece of work that takes longer is logged, */
	STALL_AGAIN_TIMES = 10,          /* and again after this many times the limit */
};

/* All literals. */
struct stall_thread {
	const char *owner;               /* "spool": the first word of the log lines */
	const char *name;                /* "writer", also the name for the system */
	const char *waits;               /* what does not happen meanwhile */
};

struct stall_piece {
	uint64_t number;                 /* from 1 */
	int64_t began_ms;                /* monotonic; 0: the thread has no work */
	const char *work;                /* literal: "copy a message" */
	struct msgid id;                 /* of the message; number 0: of none, or of several */
};

struct stall {
	const struct stall_thread *thread;
	pthread_mutex_t lock;
	struct stall_piece piece;        /* under the lock */
	struct stall_piece logged;       /* the loop's: logged, and not ended yet; number 0: none */
	int64_t logged_ms;                 /* the loop's: when it was logged last; monotonic */
};

/* Prepares the object; `thread` must live as long. */
void stall_init(struct stall *t, const struct stall_thread *thread);
/* Releases the lock; the thread has ended. */
void stall_clear(struct stall *t);

/* In the thread: ends the previous piece and begins this one. */
void stall_begin(struct stall *t, const char *work, struct msgid id);
/* In the thread: it has no work now. */
void stall_end(struct stall *t);

/* In the loop: how long the current piece has taken so far; 0: there is none. */
int64_t stall_ms(struct stall *t);
/* In the loop: logs a piece that takes longer than longest_ms, and the end of a piece that was
 * logged. */
void stall_check(struct stall *t, int64_t longest_ms);
/* "thread writer waits 99 s for the disk: no mail is acknowledged meanwhile"; false, with out
 * unchanged: nothing takes longer than longest_ms. */
bool stall_text(struct stall *t, int64_t longest_ms, char *out, size_t bytes) MUST_USE;

#endif

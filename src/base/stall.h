/*
 * stall: since when a thread that works for a loop is at one piece of its work, and at which.  The
 * loop looks each second: a piece that does not end in time is logged, again now and then, and when
 * it has ended; meanwhile it is the trouble of the role (base/metrics.h).  So the operator sees
 * that a disk stands still, and what waits for it.
 */
#ifndef BASE_STALL_H
#define BASE_STALL_H

#include <pthread.h>
#include <stdbool.h>

#include "base/id.h"
#include "base/str.h"

enum {
	STALL_LOGGED_MS = 30000,         /* a piece of work that takes longer is logged ... */
	STALL_AGAIN_TIMES = 10,          /* ... and again each time so many times that has passed */
};

/* All literals. */
struct stall_thread {
	const char *owner;               /* "spool": the first word of its log lines */
	const char *name;                /* "writer", as other programs show it too */
	const char *waits;               /* what does not happen meanwhile */
};

struct stall_piece {
	uint64_t number;                 /* from 1 */
	int64_t began_ms;                /* monotonic; 0: the thread has nothing to do */
	const char *work;                /* literal: "copy a message" */
	struct msgid id;                 /* of that message; number 0: of none, or of several */
};

struct stall {
	const struct stall_thread *thread;
	pthread_mutex_t lock;
	struct stall_piece piece;        /* under the lock */
	struct stall_piece told;         /* the loop's: logged, its end not yet; number 0: none */
	int64_t told_ms;                 /* since then; monotonic */
};

void stall_init(struct stall *t, const struct stall_thread *thread);
void stall_clear(struct stall *t);

/* In the thread: the piece before has ended, this one begins. */
void stall_begin(struct stall *t, const char *work, struct msgid id);
/* In the thread: it waits for work. */
void stall_end(struct stall *t);

/* In the loop.  How long the piece under way takes so far; 0: none is. */
int64_t stall_ms(struct stall *t);
/* Logs what takes longer than that, and the end of what was logged. */
void stall_check(struct stall *t, int64_t longest_ms);
/* "thread writer waits 99 s for the disk: no mail is acknowledged meanwhile"; false, and out stays
 * as it is: nothing takes longer than that. */
bool stall_text(struct stall *t, int64_t longest_ms, char *out, size_t bytes) MUST_USE;

#endif

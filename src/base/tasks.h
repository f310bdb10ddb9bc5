/*
 * tasks: what a thread does with files for a loop, one task after the other, so that a disk that
 * is slow, or stands still, stops nothing but the tasks behind; or by hand (tasks_dispatch).  A
 * task sees nothing of the loop's: what it needs was copied before it was asked for.  A long one is
 * done in pieces, and those that wait have their turns in between.  Turns are taken in the order in
 * which they were asked for, without ranks: who asks must not have more with a thread than others
 * can wait for.
 */
#ifndef BASE_TASKS_H
#define BASE_TASKS_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/fsio.h"
#include "base/stall.h"

struct task_kind {
	/* In the thread, one piece of it.  true: that was all; false: its next turn is behind those
	 * that wait. */
	bool (*run)(struct fsio *io, void *of);
	/* In the loop, once, when all was done.  It may be asked for again. */
	void (*done)(void *owner, void *of);
	/* In the loop instead of the other two: the owner ends. */
	void (*drop)(void *owner, void *of);
	const char *work;                /* literal, for the log: "copy a message" */
};

/* A member of what it works on. */
struct task {
	TAILQ_ENTRY(task) link;
	const struct task_kind *kind;
	void *of;
	struct msgid id;                 /* set by the owner: the message it is about */
	bool is_waiting;                 /* under the lock: its next piece has not begun */
};

TAILQ_HEAD(task_list, task);

struct tasks_setup {
	const struct stall_thread *thread;
	struct fsio *io;
	int event_fd;                    /* written to when there is something done */
	bool is_thread;                  /* else by hand */
};

struct tasks {
	struct tasks_setup o;
	struct stall stall;
	bool is_thread;                  /* it runs */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock */
	struct task_list asked;          /* oldest first */
	struct task_list done;           /* oldest first */
	bool is_waiting;
	bool is_stopping;
};

void tasks_init(struct tasks *t, const struct tasks_setup *setup);
int tasks_start(struct tasks *t) MUST_USE;
/* Begins no other piece; waits for nothing. */
void tasks_halt(struct tasks *t);
/* The same, ends the piece under way and joins. */
void tasks_stop(struct tasks *t);
/* The same, but waits only so long; false: the piece has not ended, and the thread may use all of
 * this and what it works on until the process ends: none of it may be freed. */
bool tasks_stop_within(struct tasks *t, int64_t ms) MUST_USE;
/* Drops what is left; it has stopped. */
void tasks_clear(struct tasks *t, void *owner);

void tasks_submit(struct tasks *t, struct task *one, const struct task_kind *kind, void *of);
/* true: it will not be done, nor told, and may be asked for anew; false: a piece of it is under way
 * or all of it is done, and that will be told. */
bool tasks_cancel(struct tasks *t, struct task *one) MUST_USE;
/* Tells of all that was done.  By hand: does all that was asked before.  When event_fd can be read,
 * and now and then without it: a thread that fails to write to it tells nobody. */
void tasks_dispatch(struct tasks *t, void *owner);

#endif

/*
 * tasks: what a thread reads and syncs for the loop, one task after the other, so that a disk that
 * is slow, or stands still, stops nothing but the tasks behind; or by hand (tasks_answer).  A task
 * sees nothing of the index: what it needs was copied before it was asked for.  A long one is done
 * in pieces, and those that wait have their turns in between.  The spool has three of these
 * threads: one reads for deliveries, one for compaction, for losses and for what is checked again,
 * and one opens files for bodies.  Turns are taken in the order in which they were asked for,
 * without ranks: who asks must not have more with a thread than others can wait for
 * (COPIES_AHEAD_MAX, LOST_AT_ONCE, FILES_READY).
 */
#ifndef QUEUE_TASKS_H
#define QUEUE_TASKS_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/fsio.h"
#include "base/str.h"
#include "queue/stall.h"

struct spool;

struct task_kind {
	/* In the thread, one piece of it.  true: that was all; false: its next turn is behind those
	 * that wait. */
	bool (*run)(struct fsio *io, void *of);
	/* In the loop, once, when all was done.  It may be asked for again. */
	void (*done)(struct spool *s, void *of);
	/* In the loop instead of the other two: the spool is closed. */
	void (*drop)(struct spool *s, void *of);
	const char *work;                /* literal, for the log: "copy a message" */
};

/* A member of what it works on. */
struct task {
	TAILQ_ENTRY(task) link;
	const struct task_kind *kind;
	void *of;
	struct msgid id;                 /* set by the owner: the message it is about */
};

TAILQ_HEAD(task_list, task);

struct tasks {
	struct stall stall;
	struct fsio *io;
	int event_fd;                    /* written to when there is something done */
	bool is_thread;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock */
	struct task_list asked;          /* oldest first */
	struct task_list done;           /* oldest first */
	bool is_waiting;
	bool is_stopping;
};

void tasks_init(
    struct tasks *t, enum spool_thread thread, struct fsio *io, int event_fd, bool is_thread);
int tasks_start(struct tasks *t) MUST_USE;
/* Begins no other piece; waits for nothing. */
void tasks_halt(struct tasks *t);
/* The same, ends the piece under way and joins. */
void tasks_stop(struct tasks *t);
/* Drops what is left; it has stopped. */
void tasks_clear(struct tasks *t, struct spool *s);

void tasks_ask(struct tasks *t, struct task *one, const struct task_kind *kind, void *of);
/* Tells of all that was done.  By hand: does all that was asked before. */
void tasks_answer(struct tasks *t, struct spool *s);

#endif

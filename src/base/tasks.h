/*
 * tasks: file work that a thread does for an event loop, one task after the other, so that a slow
 * or stuck disk blocks only the tasks behind it.  Without the thread the caller runs the tasks by
 * hand (tasks_dispatch).  A task uses no data of the loop: what it needs was copied before it was
 * submitted.  A long task runs in pieces, and the waiting tasks run in between.  Tasks run in the
 * order of submission, without priorities: each submitter limits how much work it has with a
 * thread.
 */
#ifndef BASE_TASKS_H
#define BASE_TASKS_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/fsio.h"
#include "base/stall.h"

struct task_kind {
	/* In the thread: one piece of the task.  true: the task is complete; false: its next piece
	 * runs after the tasks that wait. */
	bool (*run)(struct fsio *io, void *of);
	/* In the loop, once, when the task is complete.  It may submit the task again. */
	void (*done)(void *owner, void *of);
	/* In the loop, instead of the other two: the owner ends. */
	void (*drop)(void *owner, void *of);
	const char *work;                /* literal, for the log: "copy a message" */
};

/* Embedded in the object that it works on. */
struct task {
	TAILQ_ENTRY(task) link;
	const struct task_kind *kind;
	void *of;
	struct msgid id;                 /* set by the owner: the message of the task */
	bool is_waiting;                 /* under the lock: its next piece has not begun */
};

TAILQ_HEAD(task_list, task);

struct tasks_setup {
	const struct stall_thread *thread;
	struct fsio *io;
	int event_fd;                    /* written to when a task is complete */
	bool is_thread;                  /* false: run by hand */
};

struct tasks {
	struct tasks_setup o;
	struct stall stall;
	bool is_thread;                  /* the thread runs */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock */
	struct task_list submitted;          /* oldest first */
	struct task_list done;           /* oldest first */
	bool is_waiting;
	bool is_stopping;
};

/* Prepares the object; *setup is copied. */
void tasks_init(struct tasks *t, const struct tasks_setup *setup);
/* Starts the thread, if there is one.  0, or -1 with errno. */
int tasks_start(struct tasks *t) MUST_USE;
/* Starts no further piece; does not wait. */
void tasks_halt(struct tasks *t);
/* The same, then waits for the end of the current piece and joins the thread. */
void tasks_stop(struct tasks *t);
/* The same, but waits at most ms.  false: the piece has not ended, and the thread may use this
 * object and what it works on until the process ends: none of it may be freed. */
bool tasks_stop_within(struct tasks *t, int64_t ms) MUST_USE;
/* Drops the remaining tasks; the thread has stopped. */
void tasks_clear(struct tasks *t, void *owner);

/* Queues the task; `kind` and the object must live until it is complete. */
void tasks_submit(struct tasks *t, struct task *task, const struct task_kind *kind, void *of);
/* true: the task will not run, its done() is not called, and it may be submitted again; false: a
 * piece of it is running or it is complete, and done() will be called. */
bool tasks_cancel(struct tasks *t, struct task *task) MUST_USE;
/* Calls done() of all complete tasks.  By hand: first runs all that were submitted before.  Call it
 * when event_fd is readable, and at intervals without that: a thread may fail to write to it. */
void tasks_dispatch(struct tasks *t, void *owner);

#endif

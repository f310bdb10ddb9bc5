/*
 * spool_threads: the threads of the spool, their names, and how long each has worked on its present
 * piece of work.  The event loop uses it to log a thread whose call to the disk does not return.
 */
#ifndef SPOOL_SPOOL_THREADS_H
#define SPOOL_SPOOL_THREADS_H

#include "base/stall.h"

struct spool;

/* What each does is described in SPOOL.md, Read errors. */
enum spool_thread {
	SPOOL_THREAD_WRITER,
	SPOOL_THREAD_BODIES,
	SPOOL_THREAD_READER,
	SPOOL_THREAD_UPKEEP,
	SPOOL_THREAD_FILES,
	SPOOL_THREADS,
};

/* What the log lines about the thread contain. */
const struct stall_thread *spool_thread(enum spool_thread thread);
/* The thread's name, like "writer", as other programs show it too. */
const char *spool_thread_name(enum spool_thread thread);
/* For the event loop.  How long the present piece of work has taken so far; 0: the thread is
 * idle. */
int64_t spool_thread_ms(struct spool *s, enum spool_thread thread);
/* For the event loop, once a second: calls stall_check for each thread. */
void spool_watch(struct spool *s);
/* The stall_text of the first thread that makes no progress.  False: there is none. */
bool spool_stall_text(struct spool *s, char *out, size_t bytes) MUST_USE;

#endif

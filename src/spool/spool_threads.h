/*
 * spool_threads: those of the spool, by name, and for how long each has been at one piece of its
 * work.
 */
#ifndef SPOOL_SPOOL_THREADS_H
#define SPOOL_SPOOL_THREADS_H

#include "base/stall.h"

struct spool;

/* What they do: SPOOL.md, Read errors. */
enum spool_thread {
	SPOOL_THREAD_WRITER,
	SPOOL_THREAD_BODIES,
	SPOOL_THREAD_READER,
	SPOOL_THREAD_UPKEEP,
	SPOOL_THREAD_FILES,
	SPOOL_THREADS,
};

/* For its log lines. */
const struct stall_thread *spool_thread(enum spool_thread thread);
/* "writer": the thread's name, as other programs show it too. */
const char *spool_thread_name(enum spool_thread thread);
/* In the loop.  How long what the thread does now takes already; 0: it does nothing. */
int64_t spool_thread_ms(struct spool *s, enum spool_thread thread);
/* In the loop, each second: stall_check at each of them. */
void spool_watch(struct spool *s);
/* Of the first of them that stands still: stall_text.  false: none does. */
bool spool_stall_text(struct spool *s, char *out, size_t bytes) MUST_USE;

#endif

/*
 * body_files: nameless files for bodies.  A thread opens a few of them ahead, and closes those that
 * are not appended after all, for both change the file system: on a disk that stands still neither
 * call ends.
 */
#ifndef SPOOL_BODY_FILES_H
#define SPOOL_BODY_FILES_H

#include "base/tasks.h"

enum {
	BODY_FILES_READY = 2,                 /* opened, and asked for by nobody yet */
	BODY_FILES_OPENING_MAX = 8,           /* with the thread at once */
};

/* The descriptor is the caller's; -1: error says why. */
typedef void spool_file_fn(int fd, int error, void *arg);

/* A question, a member of the asker's struct.  All zeros: none. */
struct spool_file_wait {
	TAILQ_ENTRY(spool_file_wait) link;
	struct spool *spool;
	spool_file_fn *fn;
	void *arg;
};

/* For when spool_file said EAGAIN: the next one that is opened, in the order of the questions, told
 * once, from spool_dispatch, unless it is cancelled.  It does not end while the disk stands still:
 * the asker has a deadline.  w must not be under way. */
void spool_file_request(struct spool *s, struct spool_file_wait *w, spool_file_fn *fn, void *arg);
/* From any state, any number of times: fn will not be called. */
void spool_file_cancel(struct spool_file_wait *w);

/* ---- the spool's own ---- */

struct body_files {
	struct tasks tasks;
	TAILQ_HEAD(, spool_file_wait) waiting; /* oldest first */
	int ready[BODY_FILES_READY];
	unsigned ready_count;
	unsigned opening;
	bool has_failed;                 /* the last one: none is opened ahead until one succeeds */
};

/* Opens the first ones ahead; the thread runs. */
void body_files_begin(struct spool *s);
/* Closes what is ready; the thread has stopped, and dropped what it had. */
void body_files_clear(struct spool *s);

#endif

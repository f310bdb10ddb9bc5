/*
 * body_files: files without a name, for the bodies of new messages.  A thread opens a few of them
 * ahead, and closes those that are not appended in the end: both calls change the file system, so
 * neither of them returns while the disk does not respond.  The event loop itself makes none of
 * these calls, unless the spool has no threads.
 */
#ifndef SPOOL_BODY_FILES_H
#define SPOOL_BODY_FILES_H

#include "base/tasks.h"

enum {
	BODY_FILES_READY = 2,                 /* opened, and not requested yet */
	BODY_FILES_OPENING_MAX = 8,           /* being opened by the thread at the same time */
};

/* The caller owns the descriptor; -1: error is the reason. */
typedef void spool_file_fn(int fd, int error, void *arg);

/* A request, a member of the requester's struct.  All zeros: no request. */
struct spool_file_wait {
	TAILQ_ENTRY(spool_file_wait) link;
	struct spool *spool;
	spool_file_fn *fn;
	void *arg;
};

/* For use after spool_file failed with EAGAIN: requests the next file that is opened.  Requests are
 * served in their order; fn is called once, from spool_dispatch, unless the request is cancelled.
 * The call does not come while the disk does not respond: the requester needs its own deadline.  w
 * must not be in use by another request. */
void spool_file_request(struct spool *s, struct spool_file_wait *w, spool_file_fn *fn, void *arg);
/* May be called in any state, any number of times: fn will not be called. */
void spool_file_cancel(struct spool_file_wait *w);

/* ---- internal to the spool ---- */

struct body_files {
	struct tasks tasks;
	TAILQ_HEAD(, spool_file_wait) waiting; /* oldest first */
	int ready[BODY_FILES_READY];
	unsigned ready_count;
	unsigned opening;
	/* the last open failed: no file is opened ahead until one succeeds */
	bool has_failed;
};

/* Opens the first files ahead.  The thread runs already. */
void body_files_begin(struct spool *s);
/* Closes the open files.  The thread has stopped and dropped its tasks. */
void body_files_clear(struct spool *s);

#endif

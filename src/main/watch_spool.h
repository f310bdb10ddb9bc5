/*
 * watch_spool: whether the spool is still where the configuration says, and whether one was ever
 * made.  The queue cannot look: it has the open directory, and no path.
 */
#ifndef MAIN_WATCH_SPOOL_H
#define MAIN_WATCH_SPOOL_H

#include "main/daemon.h"

/* Whether a directory holds any file by which the queue knows that there was a log: then the queue
 * tells what is missing of it, and refuses or accepts that; else there is no spool in it. */
bool watch_spool_has_spool(int spool_fd) MUST_USE;

/* Before the roles start, with both directories open: 0, or the exit status (refused in words),
 * for a spool is made once.  That there was one is known by the file spool.made in the state
 * directory; without it, as 0.1.0 leaves it, a new spool beside existing accounts is told of. */
int watch_spool_check_new(const struct daemon *d) MUST_USE;

/* From now on it looks every two seconds.  When the queue is ready it writes spool.made, unless
 * that says so already: the file that is there stays until a new one is durable. */
void watch_spool_start(struct daemon *d);
void watch_spool_stop(struct daemon *d);

/* What `sallyport status` says of it; empty: the path leads to the directory that is in use. */
const char *watch_spool_trouble(const struct daemon *d) MUST_USE;

#endif

/*
 * watch_spool: checks whether the configured path still leads to the spool in use, and whether a
 * spool was ever created.  The queue cannot check this: it has the open directory, and no path.
 */
#ifndef MAIN_WATCH_SPOOL_H
#define MAIN_WATCH_SPOOL_H

#include "main/daemon.h"

/* True if the directory has any file from which the queue knows that there was a log; the queue
 * then reports missing parts, and refuses or accepts that.  Else the directory contains no
 * spool. */
bool watch_spool_has_spool(int spool_fd) MUST_USE;

/* Before the roles start, with both directories open: 0, or the exit status of a reported failure.
 * A spool is created only once: the file spool.made in the state directory shows that there was
 * one.  Version 0.1.0 did not write it; then a new spool beside existing accounts is logged. */
int watch_spool_check_new(const struct daemon *d) MUST_USE;

/* Starts a check every two seconds; watch_spool_stop ends it.  When the queue is ready, it writes
 * spool.made, unless its content is already right; an existing file stays until the new one is
 * durable. */
void watch_spool_start(struct daemon *d);
void watch_spool_stop(struct daemon *d);

/* The problem that `sallyport status` shows; empty: the path leads to the directory in use. */
const char *watch_spool_trouble(const struct daemon *d) MUST_USE;

#endif

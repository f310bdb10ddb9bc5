/*
 * directory: the directories that main opens and passes on.  As root, main does nothing by path
 * below a directory that somebody else can write: each part of a path is opened from the one
 * before it without following a link, unless the link is root's own in a directory of root; what is
 * made is given away on its descriptor; an existing directory is never given to somebody else.
 */
#ifndef MAIN_DIRECTORY_H
#define MAIN_DIRECTORY_H

#include "main/daemon.h"

struct directory_spec {
	const char *key;              /* of the configuration, for messages */
	struct str path;
	const struct os_user *owner; /* who works in it */
};

/* The directory of a role: made with mode 0700 for its owner when it is missing; it and all files
 * in it belong to that owner.  The descriptor, or -1: refused in words (daemon_report_failure),
 * with the exit status in *status_out. */
int directory_open(const struct directory_spec *wish, int *status_out) MUST_USE;

/* Whether a name in it begins and ends so, or it cannot be read. */
bool directory_has_name(int fd, struct str beginning, struct str end) MUST_USE;

/* The run directory: root's, mode 0755, so that no role can put anything beside its socket; for a
 * caller who is not root: the caller's, 0700.  One that 0.1.0 made for a role is taken back. */
int directory_open_run(const struct directory_spec *wish, int *status_out) MUST_USE;

/* One daemon has the run directory: the file "lock" in it, locked as long as the returned
 * descriptor is open.  -1: refused in words. */
int directory_lock(int run_fd, const struct directory_spec *wish, int *status_out) MUST_USE;

/* Whether a daemon runs with this directory.  The question takes no lock: a daemon that starts at
 * this moment does not notice it. */
bool directory_has_daemon(int run_fd) MUST_USE;

/* Whether the queue of another daemon has the lock of the spool.  Nothing is kept: the queue's own
 * lock decides. */
bool directory_spool_is_locked(int fd) MUST_USE;

/* The name of the tool's socket in the run directory. */
extern const char directory_socket[];
/* The tool's socket in the run directory, listening, mode 0600, given to its owner. */
int directory_open_socket(int run_fd, const struct directory_spec *wish, int *status_out) MUST_USE;

#endif

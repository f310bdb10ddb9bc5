/*
 * directory: the directories that main opens and passes on.  As root, main does nothing by path
 * below a directory that another user can write: it opens each part of a path from the part before
 * it and follows no symbolic link, except a link of root in a directory of root.  The owner of a
 * new file or directory is set by its descriptor; an existing directory never gets another owner.
 */
#ifndef MAIN_DIRECTORY_H
#define MAIN_DIRECTORY_H

#include "main/daemon.h"

struct directory_spec {
	const char *key;              /* of the configuration, for messages */
	struct str path;
	const struct os_user *owner; /* the user whose processes work in it */
};

/* Opens the directory of a role; creates it with mode 0700 for its owner when it is missing.  It
 * and the daemon's files in it must belong to that owner.  Returns the descriptor, or -1: reported
 * by daemon_report_failure, with the exit status in *status_out. */
int directory_open(const struct directory_spec *spec, int *status_out) MUST_USE;

/* True if a name in the directory begins and ends so, or if the directory cannot be read. */
bool directory_has_name(int fd, struct str beginning, struct str end) MUST_USE;

/* Opens the run directory: it belongs to root with mode 0755, so that no role can create a file
 * beside its socket.  For a caller who is not root it belongs to the caller with mode 0700.  A
 * directory that version 0.1.0 gave to a role gets root as owner again.  Returns as
 * directory_open. */
int directory_open_run(const struct directory_spec *spec, int *status_out) MUST_USE;

/* Locks the file "lock" in the run directory, so that only one daemon uses it; the lock lasts as
 * long as the returned descriptor is open.  -1: reported as by directory_open. */
int directory_lock(int run_fd, const struct directory_spec *spec, int *status_out) MUST_USE;

/* True if a daemon holds the lock of this run directory.  The check takes no lock, so it does not
 * disturb a daemon that starts at the same moment. */
bool directory_has_daemon(int run_fd) MUST_USE;

/* True if the queue of another daemon holds the lock of the spool.  Nothing stays locked: the
 * queue's own lock decides. */
bool directory_spool_is_locked(int fd) MUST_USE;

/* The name of the control socket in the run directory. */
extern const char directory_socket[];
/* Creates the control socket in the run directory, listening, with mode 0600, for its owner.
 * Returns as directory_open. */
int directory_open_socket(int run_fd, const struct directory_spec *spec, int *status_out) MUST_USE;

#endif

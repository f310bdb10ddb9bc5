/*
 * running_daemon: finds the daemon that was started with a configuration file, whatever the file
 * contains now.
 */
#ifndef TOOL_RUNNING_DAEMON_H
#define TOOL_RUNNING_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

enum { RUNNING_DAEMON_PATH_BYTES = 4096 };

struct running_daemon {
	pid_t pid;
	/* directory of its lock and its socket; empty: not visible to this user */
	char run_directory[RUNNING_DAEMON_PATH_BYTES];
};

/* Finds a daemon of root or of this user by its command line in /proc.  False: there is none that
 * is visible to this process. */
bool running_daemon_find(const char *config, struct running_daemon *out);

#endif

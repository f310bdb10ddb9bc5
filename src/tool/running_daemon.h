/*
 * running_daemon: the daemon that runs with a configuration file, whatever stands in the file now.
 */
#ifndef TOOL_RUNNING_DAEMON_H
#define TOOL_RUNNING_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

enum { RUNNING_DAEMON_PATH_BYTES = 4096 };

struct running_daemon {
	pid_t pid;
	/* where it has its lock and its socket; empty: this user may not see that */
	char run_directory[RUNNING_DAEMON_PATH_BYTES];
};

/* One of root's or of this user's, by its command line in /proc.  False: there is none, as far as
 * this process may see. */
bool running_daemon_find(const char *config, struct running_daemon *out);

#endif

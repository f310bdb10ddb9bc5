/*
 * running_daemon: the daemon that runs with a configuration file, whatever stands in the file now.
 */
#ifndef TOOL_RUNNING_DAEMON_H
#define TOOL_RUNNING_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

enum { MAIN_PROCESS_PATH_BYTES = 4096 };

struct main_process {
	pid_t pid;
	/* where it has its lock and its socket; empty: this user may not see that */
	char run_directory[MAIN_PROCESS_PATH_BYTES];
};

/* One of root's or of this user's, by its command line in /proc.  False: there is none, as far as
 * this process may see. */
bool main_process_find(const char *config, struct main_process *out);

#endif

/*
 * logger: one thread of main writes the log lines of all roles, so that no role has access to the
 * log target.  Each process has its own socket; what a process does to it (shutdown, filling it)
 * affects only its own lines.  A target that hangs blocks this thread, not main's event loop: the
 * sockets fill, and the roles count the lines that they drop.
 */
#ifndef MAIN_LOGGER_H
#define MAIN_LOGGER_H

#include <sys/types.h>

#include "base/str.h"

struct logger;

/* Starts the thread.  NULL with errno. */
struct logger *logger_new(void) MUST_USE;
/* Creates a socket pair: [0] for main, [1] for the new process; -1 with errno. */
int logger_pair(int ends_out[2]) MUST_USE;
/* From now on the lines of process pid are written.  The logger owns fd, main's end. */
void logger_add(struct logger *l, int fd, pid_t pid);
/* Writes what has been received and ends the thread. */
void logger_free(struct logger **l);

#endif

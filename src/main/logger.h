/*
 * logger: one thread of main writes the lines of all roles, so that no role holds the log's target.
 * Each process has a socket of its own; what it does to that (shut it down, fill it) silences
 * itself alone.  A target that hangs stops this thread, not main's loop: the sockets fill, and the
 * roles count what they lose.
 */
#ifndef MAIN_LOGGER_H
#define MAIN_LOGGER_H

#include <sys/types.h>

#include "base/str.h"

struct logger;

/* NULL with errno. */
struct logger *logger_new(void) MUST_USE;
/* Two ends: for main, for the new process; -1 with errno. */
int logger_pair(int ends_out[2]) MUST_USE;
/* From now on what process pid sends is written; main's end is taken. */
void logger_add(struct logger *l, int fd, pid_t pid);
/* Writes what is there and ends the thread. */
void logger_free(struct logger **l);

#endif

/*
 * spawn: starts an instance as a process (/proc/self/exe --role NAME INDEX, with the channel to
 * main as descriptor 3, the log as 2, under the role's user) or, with -d, as a thread.
 */
#ifndef MAIN_SPAWN_H
#define MAIN_SPAWN_H

#include "main/daemon.h"

enum { SPAWN_CHANNEL_FD = 3 };

/* Starts the instance.  Returns main's end of the channel; -1: it could not be started, which is
 * logged. */
int spawn_instance(struct instance *i) MUST_USE;
/* Kills a process; asks a thread to stop. */
void spawn_kill(struct instance *i);

/* main() of the child: "--role NAME INDEX". */
int spawn_role_main(const char *name, const char *index);

#endif

/*
 * spawn: an instance as a process of its own (/proc/self/exe --role NAME INDEX, the channel to main
 * as descriptor 3, the log as 2, under the role's user) or, with -d, as a thread.
 */
#ifndef MAIN_SPAWN_H
#define MAIN_SPAWN_H

#include "main/daemon.h"

enum { SPAWN_CHANNEL_FD = 3 };

/* Main's end of the channel; -1 when it could not be started (logged). */
int spawn_instance(struct instance *i) MUST_USE;
/* Ends a process at once; a thread is asked to stop. */
void spawn_kill(struct instance *i);

/* The child's main(): "--role NAME INDEX". */
int spawn_role_main(const char *name, const char *index);

#endif

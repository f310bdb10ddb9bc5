/*
 * stopping: the end of the daemon, one kind of role after the other, each with a limit.
 */
#ifndef MAIN_STOPPING_H
#define MAIN_STOPPING_H

#include "main/daemon.h"

/* Before the roles start. */
void stopping_prepare(struct daemon *d);
void stopping_clear(struct daemon *d);
/* SIGTERM: submission first, then relay, queue, the rest; the loop ends with the last.  Again: at
 * once.  A role that does not end in time is killed; a submission or relay that does not end even
 * so is left behind. */
void stopping_begin(struct daemon *d);
/* One of the roles is gone. */
void stopping_role_ended(struct daemon *d);

#endif

/*
 * stopping: the stop of the daemon: one kind of role after the other, each with a time limit.
 */
#ifndef MAIN_STOPPING_H
#define MAIN_STOPPING_H

#include "main/daemon.h"

/* Creates the timer, before the roles start; stopping_clear frees it. */
void stopping_prepare(struct daemon *d);
void stopping_clear(struct daemon *d);
/* SIGTERM: stops submission first, then relay, queue and the rest; the event loop ends after the
 * last one.  A second call kills what still runs.  A role that does not end in time is killed; a
 * submission or relay process that does not end even then is abandoned. */
void stopping_begin(struct daemon *d);
/* One of the roles has ended: begins the next stage when its stage is complete. */
void stopping_role_ended(struct daemon *d);

#endif

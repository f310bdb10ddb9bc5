/*
 * supervise: starts the roles, connects them by channels, handles what they send to main, and
 * starts them again when they end.
 */
#ifndef MAIN_SUPERVISE_H
#define MAIN_SUPERVISE_H

#include "main/daemon.h"

/* Creates every instance that the configuration asks for, and starts all. */
void supervise_start(struct daemon *d);
/* SIGCHLD: reaps ended processes and schedules their restart. */
void supervise_reap(struct daemon *d);
/* After the event loop: frees everything. */
void supervise_end(struct daemon *d);

#endif

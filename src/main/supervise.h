/*
 * supervise: starts the roles, connects them by channels, starts them again when they end, and
 * passes changes of the configuration on.
 */
#ifndef MAIN_SUPERVISE_H
#define MAIN_SUPERVISE_H

#include "main/daemon.h"

/* Creates every instance that the configuration asks for, and starts all. */
void supervise_start(struct daemon *d);
/* SIGCHLD: reaps ended processes and schedules their restart. */
void supervise_reap(struct daemon *d);
/* The process has ended, or is abandoned: another one replaces it, or the next stage of the stop
 * begins. */
void supervise_instance_gone(struct instance *i);
/* Sends the new configuration to all roles. */
void supervise_reload(struct daemon *d);
/* Sends certificates and keys to the roles that use them, to keys first. */
void supervise_renew_certificates(struct daemon *d);
/* Sends changed files of the system to relay. */
void supervise_renew_files(struct daemon *d);
/* After the event loop: frees everything. */
void supervise_end(struct daemon *d);

#endif

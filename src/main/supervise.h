/*
 * supervise: the roles' lives as main sees them: started, joined by channels, started again when
 * they die, stopped in the order in which mail flows.
 */
#ifndef MAIN_SUPERVISE_H
#define MAIN_SUPERVISE_H

#include "main/daemon.h"

/* Names every instance that the configuration asks for, and starts all. */
void supervise_start(struct daemon *d);
/* SIGCHLD: takes the dead, plans their return. */
void supervise_reap(struct daemon *d);
/* It is dead, or will not do a thing again: another takes its place, or the next stage stops. */
void supervise_instance_gone(struct instance *i);
/* A new configuration for all. */
void supervise_reload(struct daemon *d);
/* Certificates and keys to those who hold them, keys first. */
void supervise_renew_certificates(struct daemon *d);
/* Other files to relay. */
void supervise_renew_files(struct daemon *d);
/* After the loop, -d: nothing is left. */
void supervise_end(struct daemon *d);

#endif

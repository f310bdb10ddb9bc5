/*
 * renewal: sends to the running roles what has changed since they were started.  A role to which it
 * cannot be sent is started again (instance_force_restart).
 */
#ifndef MAIN_RENEWAL_H
#define MAIN_RENEWAL_H

#include "main/daemon.h"

/* After a reload: sends the new configuration, and what it names, to all roles. */
void renewal_send_config(struct daemon *d);
/* Sends certificates and keys to the roles that use them, to keys first. */
void renewal_send_certificates(struct daemon *d);
/* Sends changed files of the system to relay. */
void renewal_send_files(struct daemon *d);

#endif

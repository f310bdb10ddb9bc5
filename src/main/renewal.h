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

/* A running role has lost the descriptor of a grant: after a pause, which grows, it is sent again
 * all that a reload sends.  Not when the process has ended meanwhile. */
void renewal_repeat(struct instance *i);
/* Frees its timer. */
void renewal_free(struct instance *i);

#endif

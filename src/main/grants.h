/*
 * grants: the descriptors and values that main sends to a role: from the resources of the running
 * configuration (main/resources.h), and those that never change: directories, the shared client
 * table, the control socket.  Each grants_give function returns false when it could not send
 * everything; the role then has less than it needs.
 */
#ifndef MAIN_GRANTS_H
#define MAIN_GRANTS_H

#include "main/daemon.h"

/* Opens the directories, the client table and the resources.  0, or an exit status; the failure is
 * reported. */
int grants_open(struct daemon *d) MUST_USE;
/* Closes everything that grants_open opened. */
void grants_close(struct daemon *d);

/* Everything that a new instance needs before START; it follows its configuration and its
 * channels. */
bool grants_give(struct instance *i) MUST_USE;
/* Only the configuration. */
bool grants_give_config(struct instance *i) MUST_USE;
/* Files that its configuration names and that the role may not open itself: before START and before
 * each new configuration. */
bool grants_give_files(struct instance *i) MUST_USE;
/* How the role writes addresses to the log; the log itself is its descriptor 2 (main/logger.h). */
bool grants_give_log(struct instance *i) MUST_USE;
/* The shared memory to which the role writes its metrics. */
bool grants_give_metrics(struct instance *i, int fd) MUST_USE;
/* Certificates or private keys, for the roles that use them; the keys role must get them first. */
bool grants_give_certificates(struct instance *i) MUST_USE;
/* To control: the group id of help_desk_group, or that none is configured. */
bool grants_give_help_desk(struct instance *i) MUST_USE;
/* The listening sockets, to submission. */
bool grants_give_listeners(struct instance *i) MUST_USE;

#endif

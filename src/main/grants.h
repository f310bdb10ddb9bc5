/*
 * grants: what main passes on to a role: from the resources of the configuration in use
 * (main/resources.h), and what never changes: directories, the shared client table, the tool's
 * socket.  Each function returns false when the role took something not; it then holds less than it
 * needs.
 */
#ifndef MAIN_GRANTS_H
#define MAIN_GRANTS_H

#include "main/daemon.h"

/* Opens all; 0, or an exit status (refused in words). */
int grants_open(struct daemon *d) MUST_USE;
void grants_close(struct daemon *d);

/* What a new instance may hold, before START; after its configuration and its channels. */
bool grants_give(struct instance *i) MUST_USE;
/* The configuration alone. */
bool grants_give_config(struct instance *i) MUST_USE;
/* Files that its configuration names, for who may not open them: before START and before each new
 * configuration. */
bool grants_give_files(struct instance *i) MUST_USE;
/* How it shows addresses there; the log itself is its descriptor 2 (main/logger.h). */
bool grants_give_log(struct instance *i) MUST_USE;
/* The shared region in which it tells its work. */
bool grants_give_metrics(struct instance *i, int fd) MUST_USE;
/* Certificates or keys, if it holds any; the keys role comes first. */
bool grants_give_certificates(struct instance *i) MUST_USE;
/* To control: the number of help_desk_group, or that there is none. */
bool grants_give_help_desk(struct instance *i) MUST_USE;
bool grants_give_listeners(struct instance *i) MUST_USE;

#endif

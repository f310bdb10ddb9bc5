/*
 * grants: what main opens and passes on: listeners, certificates, keys, directories, the shared
 * client table, the tool's socket, and each role's part of the configuration.
 */
#ifndef MAIN_GRANTS_H
#define MAIN_GRANTS_H

#include "main/daemon.h"

/* Opens all that does not depend on a role; 0, or an exit status (logged). */
int grants_open(struct daemon *d) MUST_USE;
void grants_close(struct daemon *d);

/* Listening sockets as the configuration has them now: new ones are opened, others kept or
 * closed.  False: one cannot be had (logged); those that could stay open. */
bool grants_listen(struct daemon *d, const struct conf *before) MUST_USE;

/* What a new instance may hold, before START; after its configuration and its channels. */
void grants_give(struct instance *i);
/* The configuration alone. */
void grants_give_config(struct instance *i);
/* Files that its configuration names, for who may not open them: before START and before each new
 * configuration. */
void grants_give_files(struct instance *i);
void grants_give_log(struct instance *i);
/* The shared region in which it tells its work. */
void grants_give_metrics(struct instance *i, int fd);
/* Certificates and keys to those who hold them, keys first. */
void grants_give_certificates(struct daemon *d);
void grants_give_listeners(struct instance *i);

#endif

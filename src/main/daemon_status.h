/*
 * daemon_status: the rows of `sallyport status` about the processes and the certificates.
 */
#ifndef MAIN_DAEMON_STATUS_H
#define MAIN_DAEMON_STATUS_H

#include "main/daemon.h"

/* The state of the process in its row is "ready": it does all of its work. */
bool daemon_status_is_ready(const struct instance *i);
/* Answers that call with a row about the daemon, a row per instance, then a row per certificate. */
void daemon_status_send_rows(struct daemon *d, struct channel *control, uint64_t call);

#endif

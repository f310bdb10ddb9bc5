/*
 * daemon_status: what `sallyport status` is told of the processes and the certificates.
 */
#ifndef MAIN_DAEMON_STATUS_H
#define MAIN_DAEMON_STATUS_H

#include "main/daemon.h"

/* What keeps that process from its work, whether it says so itself or main knows it; empty:
 * nothing.  That the spool was moved keeps the queue from none. */
const char *daemon_status_trouble_of_work(
    const struct instance *i, char out[METRICS_TROUBLE_TEXT_BYTES]);

/* A row about the daemon, one per instance, then one per certificate, as answers to that call. */
void daemon_status_send_rows(struct daemon *d, struct channel *control, uint64_t call);

#endif

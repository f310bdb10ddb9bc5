/*
 * daemon_status: the rows of `sallyport status` about the processes and the certificates.
 */
#ifndef MAIN_DAEMON_STATUS_H
#define MAIN_DAEMON_STATUS_H

#include "main/daemon.h"

/* Writes the present problem of that process, reported by itself or known to main; empty: none.  A
 * moved spool is not among them: the queue works on. */
const char *daemon_status_trouble_of_work(
    const struct instance *i, char out[METRICS_TROUBLE_TEXT_BYTES]);

/* Answers that call with a row about the daemon, a row per instance, then a row per certificate. */
void daemon_status_send_rows(struct daemon *d, struct channel *control, uint64_t call);

#endif

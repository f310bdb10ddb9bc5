/*
 * status: what `sallyport status` is told of the processes and the certificates.
 */
#ifndef MAIN_STATUS_H
#define MAIN_STATUS_H

#include "main/daemon.h"

/* A row about the daemon, one per instance, then one per certificate, as answers to that call. */
void status_rows(struct daemon *d, struct channel *control, uint64_t call);

#endif

/*
 * dispatch_log: what the log says of a delivery that ended without results.
 */
#ifndef QUEUE_DISPATCH_LOG_H
#define QUEUE_DISPATCH_LOG_H

#include "queue/dispatch.h"

/* A line for each of its recipients that is still open. */
void dispatch_log_open(
    const struct dispatch_attempt *job, int priority, const char *status, const char *reason);

#endif

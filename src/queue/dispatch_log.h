/*
 * dispatch_log: log lines about an attempt that ended without results.
 */
#ifndef QUEUE_DISPATCH_LOG_H
#define QUEUE_DISPATCH_LOG_H

#include "queue/dispatch_attempt.h"

/* A line for each of its open recipients. */
void dispatch_log_open(
    const struct dispatch_attempt *attempt, int priority, const char *status, const char *reason);

#endif

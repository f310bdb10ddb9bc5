/*
 * metric_sums: the value of each metric that roles count, over all processes of its role: those
 * that run, read from their regions without asking them, and those that have ended.  So a counter
 * does not fall when a process ends, and the numbers of a process that hangs can be read.
 */
#ifndef MAIN_METRIC_SUMS_H
#define MAIN_METRIC_SUMS_H

#include "main/daemon.h"

/* Adds the counters of a process that has ended to those of the former ones; before its region is
 * unmapped.  Does nothing for a process without a region. */
void metric_sums_keep(const struct instance *i);
/* The sum over all processes of the role of that row, 0 otherwise.  False: a gauge that no running
 * process has set. */
bool metric_sums_read(const struct daemon *d, enum metric m, uint64_t *value_out) MUST_USE;

#endif

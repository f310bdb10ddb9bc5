/*
 * instance: one process of a role, for all files of main that handle it: the problem that it has,
 * its forced restart, what main frees when it has ended, and the start of the next one.
 */
#ifndef MAIN_INSTANCE_H
#define MAIN_INSTANCE_H

#include "main/daemon.h"

/* Writes the present problem of the process, reported by itself or known to main; empty: none.  A
 * moved spool is not among them: the queue works on. */
const char *instance_trouble(const struct instance *i, char out[METRICS_TROUBLE_TEXT_BYTES]);

/* The process has less than it needs: that is logged, and it is killed.  Its end is then handled
 * like any other. */
void instance_force_restart(struct instance *i, const char *why);
/* Frees what main has of a process that has ended, is abandoned, or was not started: its channel,
 * metrics region and slot.  The instance is DOWN then. */
void instance_release(struct instance *i);
/* Starts the timer of the next start; the pause depends on the failures in a row. */
void instance_plan_restart(struct instance *i);

#endif

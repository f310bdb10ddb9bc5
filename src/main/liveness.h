/*
 * liveness: detects roles that hang.  Main sends PING to each role on its channel, one at a time,
 * about every second; the role's event loop answers.  A role that neither answers nor makes
 * progress within its limit gets SIGABRT, and SIGKILL if it still runs a second later (a stopped
 * process does not act on SIGABRT); its end is then handled like any other.  The limits:
 *
 *   a role that is ready          LIVENESS_SILENT_MS since its last answer
 *   a role that is starting       LIVENESS_START_MS since it was started, or START was sent, or
 *                                 it last reported progress (metrics_progress: a long recovery)
 *   a worker inside a request     its deadline (worker_kinds.h) more: the broker ends it before
 *
 * A process may survive SIGKILL while one of its threads is blocked in the kernel by a disk that
 * hangs.  A submission, relay or worker process is abandoned after LIVENESS_ABANDON_MS: another
 * process replaces it.  At most INSTANCE_ABANDONED_MAX of one instance exist at a time, each with
 * the files that it has open.
 *
 * The module has its own clock, which advances by at most LIVENESS_STEP_MAX_MS from one check to
 * the next: while main itself or the whole machine is stopped, no role becomes overdue.
 *
 * It also sends the watchdog message to systemd, while every role answers or is being replaced.
 * Until the daemon is ready, it asks systemd about every second for more time, while the start
 * makes progress (EXTEND_TIMEOUT_USEC).
 */
#ifndef MAIN_LIVENESS_H
#define MAIN_LIVENESS_H

#include "main/daemon.h"

enum {
	LIVENESS_EVERY_MS = 1000, /* from one PING to the next, at least */
	LIVENESS_CHECK_MS = 250,
	LIVENESS_STEP_MAX_MS = 2000,
	LIVENESS_SILENT_MS = 10000,
	LIVENESS_START_MS = 30000,
	LIVENESS_GRACE_MS = 1000,
	LIVENESS_ABANDON_MS = 5000, /* after SIGABRT, or SIGKILL for the broker */
	LIVENESS_OVERDUE_MS = 3000, /* `status` shows "not answering" */
	LIVENESS_EXTEND_MS = 90000, /* asked of systemd while a start makes progress */
	LIVENESS_STUCK_MS = 30000,  /* after SIGABRT; then no WATCHDOG=1 is sent */
};

/* Starts and stops the timer and the liveness clock; both are freed. */
void liveness_start(struct daemon *d);
void liveness_stop(struct daemon *d);

/* Restarts the time limit of the instance: it was just started, got START, or is ready. */
void liveness_note_sign(struct instance *i);
/* Resets the state for a new process of the instance. */
void liveness_init_instance(struct instance *i);
/* The instance answered PING. */
void liveness_pong(struct instance *i, uint32_t number);

/* SIGKILL was sent to a worker that did not answer the broker in time. */
void liveness_note_killed(struct instance *i);
/* The time since the last answer or progress. */
int64_t liveness_silent_ms(const struct instance *i);
/* True if the instance exceeds the usual time, so that `status` shows it. */
bool liveness_is_overdue(const struct instance *i);
/* Abandons a process that SIGKILL did not end: the instance is released (instance_release), and a
 * line is logged that ends with what_follows; what follows is up to the caller.  False: it cannot
 * be replaced, which is logged once. */
bool liveness_abandon(struct instance *i, const char *what_follows) MUST_USE;
/* An abandoned process has ended; false: pid is not one of those. */
bool liveness_abandoned_ended(struct daemon *d, pid_t pid);
/* True if every role answers, or is being replaced within the limits. */
bool liveness_is_healthy(const struct daemon *d);

/* Checks all instances once; the timer calls it. */
void liveness_check_all(struct daemon *d);

#endif

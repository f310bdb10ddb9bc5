/*
 * liveness: signs of life.  Main sends each role PING on its channel, one at a time, about every
 * second; the answer comes from the role's event loop.  A role that gives no sign for its limit is
 * ended with SIGABRT, and with SIGKILL when it is still there a second later (a stopped process
 * does not act on SIGABRT); its death is then treated as every other.  The limits:
 *
 *   a role that is ready          LIVENESS_SILENT_MS since its last answer
 *   a role that is starting       LIVENESS_START_MS since it was started, or told START, or since
 *                                 it last reported progress (metrics_progress: a long recovery)
 *   a worker inside a check       auth.step_timeout more, since the broker ends it before that
 *
 * One that does not end even so (a disk that stands still keeps a thread in the kernel) is left
 * behind after LIVENESS_LEAVE_MS, if it is submission or relay: another takes its place.  At most
 * INSTANCE_ABANDONED_MAX of one instance are there at a time, each with what it has open.
 *
 * Time is counted on a clock of its own, which advances by at most LIVENESS_STEP_MAX_MS from one
 * look to the next: while main itself, or the whole machine, is stopped, no role becomes overdue.
 *
 * The watchdog of systemd is fed here, while every role answers or is being replaced; before the
 * daemon is ready, systemd is told about every second that a start which makes progress takes
 * longer (EXTEND_TIMEOUT_USEC).
 */
#ifndef MAIN_LIVENESS_H
#define MAIN_LIVENESS_H

#include "main/daemon.h"

enum {
	LIVENESS_EVERY_MS = 1000, /* from one PING to the next, at least */
	LIVENESS_LOOK_MS = 250,
	LIVENESS_STEP_MAX_MS = 2000,
	LIVENESS_SILENT_MS = 10000,
	LIVENESS_START_MS = 30000,
	LIVENESS_GRACE_MS = 1000,
	LIVENESS_LEAVE_MS = 5000, /* since SIGABRT */
	LIVENESS_OVERDUE_MS = 3000, /* `status` says "not answering" */
	LIVENESS_EXTEND_MS = 90000, /* what systemd is asked for while a start goes on */
	LIVENESS_STUCK_MS = 30000,  /* even SIGKILL did not end it: the watchdog is fed no more */
};

void liveness_start(struct daemon *d);
void liveness_stop(struct daemon *d);

/* A new process, or START was sent to it, or it is ready. */
void liveness_note_sign(struct instance *i);
/* A new process: nothing is known of it yet. */
void liveness_init_instance(struct instance *i);
void liveness_pong(struct instance *i, uint32_t number);

int64_t liveness_silent_ms(const struct instance *i);
bool liveness_is_overdue(const struct instance *i);
/* A process that SIGKILL did not end is given up, with a line of the log that ends with what
 * follows; false: nothing can take its place, which is told once. */
bool liveness_abandon(struct instance *i, const char *what_follows) MUST_USE;
/* One that was given up has ended; false: it is none of those. */
bool liveness_abandoned_ended(struct daemon *d, pid_t pid);
/* Every role answers, or is being replaced within the limits. */
bool liveness_is_healthy(const struct daemon *d);

/* One look at all; the timer calls it. */
void liveness_check_all(struct daemon *d);

#endif

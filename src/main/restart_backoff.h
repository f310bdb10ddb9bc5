/*
 * restart_backoff: the pause before the next attempt: 100 ms after the first failure, doubled with
 * each further failure in a row, 30 s at most.
 */
#ifndef MAIN_RESTART_BACKOFF_H
#define MAIN_RESTART_BACKOFF_H

#include <stdint.h>
#include <sys/time.h>

enum {
	RESTART_BACKOFF_FIRST_MS = 100,
	RESTART_BACKOFF_MAX_MS = 30000,
	RESTART_BACKOFF_STEADY_MS =
	    10000, /* after that time without failure the first pause applies again */
};

/* failures: the number of failures in a row before this one. */
int64_t restart_backoff_ms(unsigned failures);
struct timeval restart_backoff_timeval(unsigned failures);

#endif

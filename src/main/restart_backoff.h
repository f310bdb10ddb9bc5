/*
 * restart_backoff: the pause before the next try of what has failed: 100 ms, doubled with each
 * failure in a row, 30 s at most.
 */
#ifndef MAIN_RESTART_BACKOFF_H
#define MAIN_RESTART_BACKOFF_H

#include <stdint.h>
#include <sys/time.h>

enum {
	RESTART_BACKOFF_FIRST_MS = 100,
	RESTART_BACKOFF_MAX_MS = 30000,
	RESTART_BACKOFF_STEADY_MS =
	    10000, /* what held that long begins anew with the first pause */
};

/* failures: in a row, before this one. */
int64_t restart_backoff_ms(unsigned failures);
struct timeval restart_backoff_timeval(unsigned failures);

#endif

/*
 * restart_backoff: the pause before the next try of what has failed: 100 ms, doubled with each
 * failure in a row, 30 s at most.
 */
#ifndef MAIN_RESTART_BACKOFF_H
#define MAIN_RESTART_BACKOFF_H

#include <stdint.h>
#include <sys/time.h>

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 30000,
	BACKOFF_STEADY_MS = 10000, /* what held that long begins anew with the first pause */
};

/* failures: in a row, before this one. */
int64_t backoff_ms(unsigned failures);
struct timeval backoff_timeval(unsigned failures);

#endif

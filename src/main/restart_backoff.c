/*
 * restart_backoff: has no state: the number of failures in a row is the caller's. The doubling
 * stops at the maximum, so any number of failures is possible.
 */
#include "main/restart_backoff.h"

int64_t
restart_backoff_ms(unsigned failures)
{
	int64_t wait_ms = RESTART_BACKOFF_FIRST_MS;

	for (unsigned n = 0; n < failures && wait_ms < RESTART_BACKOFF_MAX_MS; n++)
		wait_ms *= 2;
	return wait_ms < RESTART_BACKOFF_MAX_MS ? wait_ms : RESTART_BACKOFF_MAX_MS;
}

struct timeval
restart_backoff_timeval(unsigned failures)
{
	int64_t wait_ms = restart_backoff_ms(failures);

	return (struct timeval){.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
}

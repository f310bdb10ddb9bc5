/*
 * restart_backoff: see the header.
 */
#include "main/restart_backoff.h"

int64_t
backoff_ms(unsigned failures)
{
	int64_t wait_ms = BACKOFF_FIRST_MS;

	for (unsigned n = 0; n < failures && wait_ms < BACKOFF_MAX_MS; n++)
		wait_ms *= 2;
	return wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS;
}

struct timeval
backoff_timeval(unsigned failures)
{
	int64_t wait_ms = backoff_ms(failures);

	return (struct timeval){.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
}

/*
 * timeouts: sums of configured timeouts.  The content has timeouts.body, and one second more for
 * each TIMEOUTS_MIN_CONTENT_RATE bytes.
 */
#include "policy/timeouts.h"

static int64_t
lesser_ms(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
timeouts_content_ms(const struct conf *c, uint64_t bytes)
{
	return c->timeouts.body_ms + (int64_t)(bytes / TIMEOUTS_MIN_CONTENT_RATE * 1000 +
	                                       bytes % TIMEOUTS_MIN_CONTENT_RATE * 1000 /
	                                           TIMEOUTS_MIN_CONTENT_RATE);
}

int64_t
timeouts_attempt_ms(const struct conf *c, uint64_t bytes)
{
	int64_t ms = c->timeouts.attempt_ms + timeouts_content_ms(c, bytes) + c->timeouts.final_ms;

	return ms + lesser_ms(ms / 10, TIMEOUTS_SLACK_MS);
}

int64_t
timeouts_grace_ms(const struct conf *c, uint64_t bytes)
{
	return lesser_ms(timeouts_attempt_ms(c, bytes) / 10, TIMEOUTS_GRACE_MAX_MS);
}

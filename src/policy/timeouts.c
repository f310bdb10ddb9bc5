/*
 * timeouts: see the header.
 */
#include "policy/timeouts.h"

static int64_t
lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
patience_content_ms(const struct conf *c, uint64_t bytes)
{
	return c->timeouts.body_ms + (int64_t)(bytes / PATIENCE_CONTENT_RATE * 1000 +
	                                       bytes % PATIENCE_CONTENT_RATE * 1000 /
	                                           PATIENCE_CONTENT_RATE);
}

int64_t
patience_job_ms(const struct conf *c, uint64_t bytes)
{
	int64_t ms = c->timeouts.attempt_ms + patience_content_ms(c, bytes) + c->timeouts.final_ms;

	return ms + lesser(ms / 10, PATIENCE_SLACK_MS);
}

int64_t
patience_grace_ms(const struct conf *c, uint64_t bytes)
{
	return lesser(patience_job_ms(c, bytes) / 10, PATIENCE_GRACE_MAX_MS);
}

/*
 * timeouts: how long a delivery may take (pure).  Relay enforces the parts, the queue the whole, so
 * that both must agree.
 */
#ifndef POLICY_TIMEOUTS_H
#define POLICY_TIMEOUTS_H

#include "conf/conf.h"

/* A host that takes less than so many bytes in a second would hold its slot for hours. */
enum { TIMEOUTS_MIN_CONTENT_RATE = 4096 };
/* What the queue allows beyond the sum of relay's parts. */
enum { TIMEOUTS_SLACK_MS = 60 * 1000, TIMEOUTS_GRACE_MAX_MS = 60 * 1000 };

/* For a host to take content of so many bytes. */
int64_t timeouts_content_ms(const struct conf *c, uint64_t bytes);
/* For one attempt: timeouts.attempt, the content, timeouts.final, and TIMEOUTS_SLACK_MS or a tenth
 * of that, whichever is less.  Then the queue tells relay to end it. */
int64_t timeouts_attempt_ms(const struct conf *c, uint64_t bytes);
/* And for relay to do so. */
int64_t timeouts_grace_ms(const struct conf *c, uint64_t bytes);

#endif

/*
 * timeouts: how long a delivery attempt may take.  Relay enforces the single timeouts, and the
 * queue the time of the whole attempt; both compute it here, so that they agree.  Pure.
 */
#ifndef POLICY_TIMEOUTS_H
#define POLICY_TIMEOUTS_H

#include "conf/conf.h"

/* In bytes per second: a slower host would occupy a connection for hours. */
enum { TIMEOUTS_MIN_CONTENT_RATE = 4096 };
/* What the queue adds to the sum of relay's timeouts. */
enum { TIMEOUTS_SLACK_MS = 60 * 1000, TIMEOUTS_GRACE_MAX_MS = 60 * 1000 };

/* The time for a host to take this much content. */
int64_t timeouts_content_ms(const struct conf *c, uint64_t bytes);
/* The time for one attempt: timeouts.attempt, the content, timeouts.final, and TIMEOUTS_SLACK_MS or
 * a tenth of that sum, whichever is less.  After this time the queue tells relay to end the
 * attempt. */
int64_t timeouts_attempt_ms(const struct conf *c, uint64_t bytes);
/* The time that relay has for ending it. */
int64_t timeouts_grace_ms(const struct conf *c, uint64_t bytes);

#endif

/*
 * failures: counts failed logins per user, per client network and per login at a usual network
 * (usual_networks.h) against auth.failure_limit, and per login over all networks against
 * auth.login_failure_limit. Failures are forgotten continuously: after one period none is left of
 * as many as the limit allows. The table has a fixed size; when a set is full, the name with the
 * fewest failures is forgotten.
 */
#ifndef AUTH_FAILURES_H
#define AUTH_FAILURES_H

#include "base/str.h"

struct failures;

enum failures_of { FAILURES_OF_USER, FAILURES_OF_NETWORK, FAILURES_OF_LOGIN,
	FAILURES_OF_LOGIN_AT_NETWORK };

struct failures_limit {
	uint64_t count;
	int64_t period_ms;
};

/* An empty table; failures_free sets *f to NULL. */
struct failures *failures_new(void);
void failures_free(struct failures **f);

/* Adds one failure; returns how many are remembered now, rounded up. */
uint64_t failures_add(
    struct failures *f, enum failures_of kind, struct str name, struct failures_limit limit);
/* How many failures are remembered now, rounded up. */
uint64_t failures_count(
    const struct failures *f, enum failures_of kind, struct str name, struct failures_limit limit)
    MUST_USE;
/* How long until fewer than limit.count are remembered, if none is added; 0: that is so now. */
int64_t failures_left_ms(const struct failures *f, enum failures_of kind, struct str name,
    struct failures_limit limit) MUST_USE;
/* Forgets the failures of this name; false: there were none. */
bool failures_clear(struct failures *f, enum failures_of kind, struct str name);
/* The delay of the answer to the n-th failure: half a second, doubled each time, at most ten
 * seconds. */
int64_t failures_delay_ms(uint64_t n);

#endif

/*
 * failures: refused logins, counted per user, per client network and per login at a usual
 * place (usual_networks.h) against auth.failure_limit, and per login over all networks against
 * auth.login_failure_limit.
 * Each failure is forgotten little by little: after the whole period nothing is left of as many as
 * the limit allows.  Of fixed size; when it is full, the least guilty is forgotten.
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

struct failures *failures_new(void);
void failures_free(struct failures **f);

/* One more; returns how many are remembered now, rounded up. */
uint64_t failures_add(
    struct failures *f, enum failures_of kind, struct str name, struct failures_limit limit);
uint64_t failures_count(
    const struct failures *f, enum failures_of kind, struct str name, struct failures_limit limit)
    MUST_USE;
/* How long until there are fewer than limit.count, if none is added. */
int64_t failures_left_ms(const struct failures *f, enum failures_of kind, struct str name,
    struct failures_limit limit) MUST_USE;
/* Forgets them; false: there were none. */
bool failures_clear(struct failures *f, enum failures_of kind, struct str name);
/* How long the answer to the n-th failure waits: half a second, doubled each time, ten seconds
 * at most. */
int64_t failures_delay_ms(uint64_t n);

#endif

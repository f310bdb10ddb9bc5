/*
 * auth_metrics: counts the results of logins for the metrics.
 */
#ifndef AUTH_AUTH_METRICS_H
#define AUTH_AUTH_METRICS_H

#include "auth/auth_session.h"

/* Counts a login that has ended: "ok", or the reason of its failure as the log has it.  A test of
 * the operator is no login. */
void auth_metrics_count(const struct auth_session *s, const char *result);

#endif

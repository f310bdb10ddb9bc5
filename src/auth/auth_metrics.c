/*
 * auth_metrics: the labels of the metric are the reasons in the log; those without a row of their
 * own are temporary failures of this service.
 */
#include "auth/auth_metrics.h"

#include <string.h>

#include "base/metrics.h"

void
auth_metrics_count(const struct auth_session *s, const char *result)
{
	enum metric m = METRIC_LOGINS_OK;

	while (m < METRIC_LOGINS_TEMPORARY && strcmp(metric_table[m].labels[0].value, result) != 0)
		m++;
	metrics_count(m, !s->is_test);
}

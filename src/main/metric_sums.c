/*
 * metric_sums: adds up the regions of the processes.  A region counts only for the rows of its own
 * role, so a process that was taken over falsifies no numbers but those of its role.
 */
#include "main/metric_sums.h"

#include <string.h>

static bool
metric_sums_counts(const struct instance *i, enum metric m)
{
	const char *role = metric_table[m].role;

	return !role || strcmp(role, role_name(i->kind)) == 0;
}

void
metric_sums_keep(const struct instance *i)
{
	for (enum metric m = 0; m < METRIC_COUNT; m++) {
		uint64_t value;

		if (metric_table[m].type == METRIC_COUNTER && metric_sums_counts(i, m) &&
		    metrics_read(i->region, m, &value))
			i->daemon->ended_counts[m] += value;
	}
}

bool
metric_sums_read(const struct daemon *d, enum metric m, uint64_t *value_out)
{
	bool is_known = metric_table[m].type == METRIC_COUNTER;
	uint64_t sum = d->ended_counts[m], value;

	for (unsigned n = 0; n < d->instance_count; n++)
		if (metric_sums_counts(&d->instances[n], m) &&
		    metrics_read(d->instances[n].region, m, &value)) {
			is_known = true;
			sum += value;
		}
	*value_out = sum;
	return is_known;
}

/*
 * daemon_metrics: main's own values are computed when they are read, from the same places as the
 * rows of status; those of the roles are the sums of their regions.  No role is asked.
 */
#include "main/daemon_metrics.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "main/daemon_status.h"
#include "main/metric_sums.h"
#include "main/notices.h"
#include "main/resources_tls.h"
#include "submission/client_counts.h"

enum { ROW_BYTES_MAX = 2048 };

/* The sum over the instances of the role that the label names. */
static uint64_t
daemon_metrics_of_role(
    const struct daemon *d, enum metric m, unsigned (*count)(const struct instance *i))
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < d->instance_count; n++)
		if (strcmp(role_name(d->instances[n].kind), metric_table[m].labels[0].value) == 0)
			sum += count(&d->instances[n]);
	return sum;
}

static unsigned
daemon_metrics_ready(const struct instance *i)
{
	return daemon_status_is_ready(i);
}

static unsigned
daemon_metrics_restarts(const struct instance *i)
{
	return i->restarts;
}

/* False: there is no certificate, or each one is valid without an end. */
static bool
daemon_metrics_first_expiry(const struct daemon *d, uint64_t *value_out)
{
	const struct tls_files *tls = d->resources->tls;
	int64_t first_s = INT64_MAX;

	for (size_t i = 0; i < tls->count; i++)
		if (tls_files_pair_is_usable(&tls->pair[i]) &&
		    tls->pair[i].facts.until_s < first_s)
			first_s = tls->pair[i].facts.until_s;
	*value_out = first_s > 0 ? (uint64_t)first_s : 0;
	return first_s != INT64_MAX;
}

/* The rows whose role is main. */
static bool
daemon_metrics_own(const struct daemon *d, enum metric m, uint64_t *value_out)
{
	int64_t age_ms = clock_mono_ms() - d->started_ms;

	switch (m) {
	case METRIC_BUILD_INFO:
		*value_out = 1;
		return true;
	case METRIC_START_TIME:
		*value_out = (uint64_t)(clock_ms() - age_ms) / 1000;
		return true;
	case METRIC_CONFIG_GENERATION:
		*value_out = d->generation;
		return true;
	case METRIC_CONFIG_LOADED_TIME:
		*value_out = (uint64_t)d->loaded_ms / 1000;
		return true;
	case METRIC_CERTIFICATE_EXPIRY_TIME:
		return daemon_metrics_first_expiry(d, value_out);
	case METRIC_NOTICES_PENDING:
		*value_out = notices_pending_count(d);
		return true;
	case METRIC_SESSIONS_ACTIVE:
		*value_out = client_counts_total(d->clients_fd);
		return true;
	default:
		*value_out = daemon_metrics_of_role(d, m,
		    metric_table[m].type == METRIC_COUNTER ? daemon_metrics_restarts
							   : daemon_metrics_ready);
		return true;
	}
}

bool
daemon_metrics_read(struct daemon *d, enum metric m, uint64_t *value_out)
{
	const char *role = metric_table[m].role;

	if (m == METRIC_LOG_LINES_LOST)
		d->ended_counts[m] += log_take_lost();
	if (role && strcmp(role, "main") == 0)
		return daemon_metrics_own(d, m, value_out);
	return metric_sums_read(d, m, value_out);
}

/* A row without "value": the metric has none now. */
static void
daemon_metrics_add(struct daemon *d, enum metric m, struct buf *values)
{
	const struct metric_row *row = &metric_table[m];
	char text[METRIC_VALUE_BYTES];
	uint64_t value;

	message_values_add(values, "row", STR("metric"));
	message_values_add(values, "name", str_of(row->name));
	message_values_add(values, "type", str_of(metric_type_name(row->type)));
	message_values_add(values, "unit", str_of(metric_unit_name(row->unit)));
	for (size_t i = 0; i < METRIC_LABELS_MAX && row->labels[i].name; i++)
		message_values_add(values, row->labels[i].name, str_of(row->labels[i].value));
	if (daemon_metrics_read(d, m, &value))
		message_values_add(values, "value", str_of(metric_value_text(m, value, text)));
}

void
daemon_metrics_send_rows(struct daemon *d, struct channel *control, uint64_t call)
{
	for (enum metric m = 0; m < METRIC_COUNT; m++) {
		struct message_admin_row row;
		struct buf values;

		buf_init(&values, ROW_BYTES_MAX);
		daemon_metrics_add(d, m, &values);
		row.values = buf_str(&values);
		(void)!channel_answer(control, call, MESSAGE_ADMIN_ROW, &row, -1);
		buf_clear(&values);
	}
}

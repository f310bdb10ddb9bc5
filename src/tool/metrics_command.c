/*
 * metrics_command: `metrics`: prints the daemon's rows in the text format of Prometheus, or as
 * JSON.  The help texts come from the table of this program, which is of the same build as the
 * daemon.
 */
#include <stdio.h>

#include "base/metric_table.h"
#include "ipc/message.h"
#include "tool/print.h"
#include "tool/tool.h"

struct tool_metrics_output {
	const struct tool *tool;
	const char *name; /* of the row before; NULL: none */
};

/* The rows arrive in the order of the table; the first row of a name has its help. */
static const struct metric_row *
tool_metrics_find(struct str name)
{
	for (enum metric m = 0; m < METRIC_COUNT; m++)
		if (str_eq(name, str_of(metric_table[m].name)))
			return &metric_table[m];
	return NULL;
}

/* HELP and TYPE stand before the first row of a name. */
static void
print_metric_head(const struct metric_row *row)
{
	printf("# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
	    metric_type_name(row->type));
}

/* A metric without a value has no line of its own.  Values of labels need no escapes: they are
 * those of the table. */
static void
print_metric_sample(const struct metric_row *row, struct str values)
{
	struct str value = message_values_get(values, "value");
	const char *before = "{";

	if (value.n == 0)
		return;
	printf("%s", row->name);
	for (size_t i = 0; i < METRIC_LABELS_MAX && row->labels[i].name; i++) {
		printf("%s%s=\"%.*s\"", before, row->labels[i].name,
		    STR_ARG(message_values_get(values, row->labels[i].name)));
		before = ",";
	}
	printf("%s %.*s\n", before[0] == ',' ? "}" : "", STR_ARG(value));
}

static void
print_metric(struct str values, void *arg)
{
	struct tool_metrics_output *output = arg;
	const struct metric_row *row = tool_metrics_find(message_values_get(values, "name"));

	if (output->tool->json) {
		print_json(values);
		return;
	}
	if (output->tool->quiet || !row)
		return;
	if (output->name != row->name)
		print_metric_head(row);
	output->name = row->name;
	print_metric_sample(row, values);
}

int
tool_metrics(struct tool *t, const struct operator_command *command)
{
	struct tool_metrics_output output = {.tool = t};

	return tool_ask_running(t, command->verb, print_metric, &output);
}

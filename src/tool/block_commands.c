/*
 * block_commands: blocked networks and logins, through the running daemon.
 */
#include <stdio.h>

#include "ipc/message.h"
#include "tool/print.h"
#include "tool/tool.h"

int
tool_block_list(struct tool *t, const struct operator_command *command)
{
	static const struct print_column columns[] = {{"what", "WHAT", -15}, {"name", "NAME", -32},
	    {"until", "UNTIL", -29}, {"count", "REFUSED", 7}, {"by", "BY", -9},
	    {"last_user", "LAST USER", -24}, {"last_ip", "LAST ADDRESS", -15},
	    {"reason", "REASON", 0}, {0}};
	struct print_table table = {.tool = t, .columns = columns, .id_key = "name"};

	int status;

	status = tool_ask_running(t, command->verb, print_row, &table);
	if (status == 0)
		print_empty(&table, "no blocks");
	return status;
}

int
tool_block_act(struct tool *t, const struct operator_command *command)
{
	if (t->arg_count != 1) {
		fprintf(stderr, "usage: sallyport %s\n", command->usage);
		return EX_USAGE;
	}
	message_values_add(&t->values, "name", str_of(t->args[0]));
	return tool_ask_running(t, command->verb, NULL, NULL);
}

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
	struct print_table table = {.tool = t,
	    .command = command->words,
	    .row = "",
	    .id_key = "name"};
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

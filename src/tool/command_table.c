/*
 * command_table: prints the tables of commands and of columns as JSON, for other programs.
 */
#include <stdio.h>

#include "ipc/message.h"
#include "ipc/operator_columns.h"
#include "tool/print.h"
#include "tool/tool.h"

enum { TABLE_ROW_BYTES_MAX = 2048 };

static void
add_table_text(struct buf *values, const char *key, const char *text)
{
	if (text)
		message_values_add(values, key, str_of(text));
}

static void
print_table_command(const struct operator_command *c)
{
	struct buf values;

	buf_init(&values, TABLE_ROW_BYTES_MAX);
	add_table_text(&values, "row", "command");
	add_table_text(&values, "command", c->words);
	add_table_text(&values, "usage", c->usage);
	add_table_text(&values, "help", c->help);
	add_table_text(&values, "request", c->verb);
	add_table_text(&values, "right", c->verb ? operator_commands_right_name(c->right) : NULL);
	add_table_text(&values, "since", c->since);
	print_json(buf_str(&values));
	buf_clear(&values);
}

static void
print_table_column(const struct operator_column *c, struct str command)
{
	struct buf values;

	buf_init(&values, TABLE_ROW_BYTES_MAX);
	add_table_text(&values, "row", "column");
	message_values_add(&values, "command", command);
	add_table_text(&values, "of_row", c->row[0] ? c->row : NULL);
	add_table_text(&values, "key", c->key);
	add_table_text(&values, "type", operator_columns_type_name(c->type));
	add_table_text(&values, "unit", c->unit);
	add_table_text(&values, "help", c->help);
	print_json(buf_str(&values));
	buf_clear(&values);
}

/* noun NULL: every command. */
static bool
has_noun(struct str words, const char *noun)
{
	return !noun || str_eq(str_upto(words, str_find(words, ' ')), str_of(noun));
}

void
tool_print_command_table(const char *noun)
{
	for (size_t i = 0; i < operator_commands_count; i++)
		if (has_noun(str_of(operator_commands[i].words), noun))
			print_table_command(&operator_commands[i]);
	for (size_t i = 0; i < operator_columns_count; i++) {
		struct str rest = str_of(operator_columns[i].commands), one;

		while (str_split(&rest, '|', &one))
			if (has_noun(one, noun))
				print_table_column(&operator_columns[i], one);
	}
}

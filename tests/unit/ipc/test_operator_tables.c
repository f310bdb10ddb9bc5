/* operator_commands and operator_columns: the tables agree with themselves and with each other. */
#include <criterion/criterion.h>
#include <string.h>

#include "ipc/operator_columns.h"
#include "ipc/operator_commands.h"

Test(operator_commands, each_row_is_complete)
{
	for (size_t i = 0; i < operator_commands_count; i++) {
		const struct operator_command *c = &operator_commands[i];
		size_t n = strlen(c->words);

		cr_expect(c->since, "%s", c->words);
		cr_expect_eq(!c->usage, !c->help, "%s", c->words);
		cr_expect(c->usage || c->verb, "%s", c->words);
		cr_expect(!c->usage || (strncmp(c->usage, c->words, n) == 0 &&
		    (c->usage[n] == 0 || c->usage[n] == ' ')), "%s", c->words);
		cr_expect(!c->root_key == !c->root_words, "%s", c->words);
		cr_expect(c->args_max <= OPERATOR_ARGS_MAX, "%s", c->words);
	}
}

/* A command is one row with usage; a verb is one row. */
Test(operator_commands, rows_are_found)
{
	for (size_t i = 0; i < operator_commands_count; i++) {
		const struct operator_command *c = &operator_commands[i];

		for (size_t n = 0; n < i; n++)
			cr_expect(!c->usage || !operator_commands[n].usage ||
			    strcmp(c->words, operator_commands[n].words) != 0, "%s", c->words);
		if (c->verb)
			cr_expect_eq(operator_commands_find_verb(str_of(c->verb)), c, "%s",
			    c->verb);
	}
	cr_expect(operator_commands_verb_is_quick(STR("queue.status")));
	cr_expect(!operator_commands_verb_is_quick(STR("queue.list")));
	cr_expect(!operator_commands_verb_is_quick(STR("")));
}

static bool
operator_command_exists(struct str words)
{
	for (size_t i = 0; i < operator_commands_count; i++)
		if (str_eq(words, str_of(operator_commands[i].words)))
			return true;
	return false;
}

Test(operator_columns, each_is_of_commands_that_exist)
{
	for (size_t i = 0; i < operator_columns_count; i++) {
		struct str rest = str_of(operator_columns[i].commands), one;

		cr_expect(operator_columns[i].help[0], "%s", operator_columns[i].key);
		while (str_split(&rest, '|', &one)) {
			cr_expect(operator_command_exists(one), "%.*s", STR_ARG(one));
			cr_expect(operator_columns_is_of(&operator_columns[i], one));
		}
	}
	cr_expect(!operator_columns_is_of(&operator_columns[0], STR("stat")));
}

/* JSON finds the type by the key alone. */
Test(operator_columns, a_key_has_one_type)
{
	for (size_t i = 0; i < operator_columns_count; i++)
		if (operator_columns[i].type != OPERATOR_VALUE)
			cr_expect_eq(operator_columns_type(str_of(operator_columns[i].key)),
			    operator_columns[i].type, "%s", operator_columns[i].key);
	cr_expect_eq(operator_columns_type(STR("no such key")), OPERATOR_TEXT);
}

/* The same key stands once in the rows of one kind of a command. */
Test(operator_columns, a_key_stands_once)
{
	for (size_t i = 0; i < operator_columns_count; i++)
		for (size_t n = 0; n < i; n++) {
			const struct operator_column *a = &operator_columns[i];
			const struct operator_column *b = &operator_columns[n];
			struct str rest = str_of(a->commands), one;

			if (strcmp(a->key, b->key) != 0 || strcmp(a->row, b->row) != 0)
				continue;
			while (str_split(&rest, '|', &one))
				cr_expect(!operator_columns_is_of(b, one), "%.*s: %s",
				    STR_ARG(one), a->key);
		}
}

/*
 * queue_commands: the commands of the queue, and the tests that ask a role what it would do.  All
 * use the same filter; a change of more than one message needs a confirmation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ipc/message.h"
#include "tool/password_input.h"
#include "tool/print.h"
#include "tool/tool.h"

void
tool_add_ids(struct tool *t)
{
	for (int i = 0; i < t->arg_count; i++) {
		message_values_add(&t->values, "id", str_of(t->args[i]));
		t->filter_count++;
	}
}

int
tool_queue_list(struct tool *t, const struct operator_command *command)
{
	struct print_table table = {.tool = t,
	    .command = command->words,
	    .row = "message",
	    .id_key = "id"};
	int status;

	tool_add_ids(t);
	status = tool_ask_running(t, command->verb, print_row, &table);
	if (status == 0)
		print_empty(
		    &table, t->filter_count ? "no message matches the filter" : "no messages");
	return status;
}

static void
count_queue_row(struct str values, void *arg)
{
	(void)values;
	++*(unsigned *)arg;
}

/* Returns 0: continue; else the exit code. */
static int
confirm_queue_command(struct tool *t, const struct operator_command *command)
{
	const char *action = command->words + strlen("queue ");
	unsigned count = 0;
	char answer[8];
	int status;

	if (t->yes || t->dry_run)
		return 0;
	status = tool_ask_running(t, "queue.list", count_queue_row, &count);
	if (status || count <= 1)
		return status;
	if (!isatty(0)) {
		fprintf(stderr, "sallyport: this would %s %u messages: add --yes\n", action,
		    count);
		return EX_USAGE;
	}
	fprintf(stderr, "%s %u messages? [y/N] ", action, count);
	if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	return EX_NEGATIVE;
}

/* ---- a user who is suspended ---- */

struct tool_suspension {
	struct buf name; /* empty: the user is not suspended, or there is none */
	struct buf since;
};

static void
suspension_take_row(struct str values, void *arg)
{
	struct tool_suspension *s = arg;

	if (!str_eq(message_values_get(values, "state"), STR("suspended")))
		return;
	buf_adds(&s->name, message_values_get(values, "name"));
	buf_adds(&s->since, message_values_get(values, "suspended"));
}

/* Asks whether the user of --user is suspended, before a release. */
static void
suspension_ask(
    const struct tool *t, const struct operator_command *command, struct tool_suspension *s)
{
	struct str user = message_values_get(buf_str(&t->values), "user");
	struct tool asking = *t;

	buf_init(&s->name, TOOL_VALUES_MAX);
	buf_init(&s->since, TOOL_VALUES_MAX);
	if (user.n == 0 || t->quiet || strcmp(command->verb, "queue.release") != 0)
		return;
	asking.quiet = true;
	asking.hidden_status = EX_NOUSER;
	buf_init(&asking.values, TOOL_VALUES_MAX);
	message_values_add(&asking.values, "name", user);
	(void)tool_ask_running(&asking, "user.show", suspension_take_row, s);
	buf_clear(&asking.values);
}

/* As a row before the total, or as a line after it. */
static void
suspension_print(const struct tool_suspension *s, bool is_json)
{
	struct buf values;

	if (s->name.n == 0)
		return;
	if (!is_json) {
		printf("%.*s is suspended since %.*s, and stays so: only its mail is released\n",
		    STR_ARG(buf_str(&s->name)), STR_ARG(buf_str(&s->since)));
		return;
	}
	buf_init(&values, TOOL_VALUES_MAX);
	message_values_add(&values, "row", STR("account"));
	message_values_add(&values, "name", buf_str(&s->name));
	message_values_add(&values, "state", STR("suspended"));
	message_values_add(&values, "suspended", buf_str(&s->since));
	print_json(buf_str(&values));
	buf_clear(&values);
}

static int
ask_queue_to_act(struct tool *t, const struct operator_command *command)
{
	struct print_table table = {.tool = t,
	    .command = command->words,
	    .row = "",
	    .id_key = "id"};
	struct tool_suspension suspension = {0};
	int status;

	suspension_ask(t, command, &suspension);
	if (t->json)
		suspension_print(&suspension, true);
	status = tool_ask_running(t, command->verb, print_row, &table);
	if (status == 0 && !t->json)
		suspension_print(&suspension, false);
	buf_clear(&suspension.name);
	buf_clear(&suspension.since);
	return status;
}

int
tool_queue_act(struct tool *t, const struct operator_command *command)
{
	int status;

	tool_add_ids(t);
	if (t->filter_count == 0 && !t->all) {
		fprintf(stderr, "usage: sallyport %s\n(say which messages, or --all)\n",
		    command->usage);
		return EX_USAGE;
	}
	status = confirm_queue_command(t, command);
	if (status)
		return status;
	if (t->dry_run)
		message_values_add(&t->values, "dry_run", STR("1"));
	return ask_queue_to_act(t, command);
}

int
tool_test_route(struct tool *t, const struct operator_command *command)
{
	struct print_table record = {.tool = t};

	if (t->arg_count != 1) {
		fprintf(stderr, "usage: sallyport %s\n", command->usage);
		return EX_USAGE;
	}
	message_values_add(&t->values, "address", str_of(t->args[0]));
	return tool_ask_running(t, command->verb, print_record, &record);
}

int
tool_test_auth(struct tool *t, const struct operator_command *command)
{
	struct print_table record = {.tool = t};
	char password[PASSWORD_INPUT_BYTES];
	int status;

	if (t->arg_count != 1) {
		fprintf(stderr, "usage: sallyport %s\n", command->usage);
		return EX_USAGE;
	}
	if (!password_input_read(t->password_stdin, false, password))
		return EX_DATAERR;
	message_values_add(&t->values, "user", str_of(t->args[0]));
	message_values_add(&t->values, "password", str_of(password));
	status = tool_ask_running(t, command->verb, print_record, &record);
	mem_wipe(password, sizeof password);
	return status;
}

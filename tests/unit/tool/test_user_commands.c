/* user_commands: what `user suspend --hold` prints about queued mail agrees with the answer of the
 * queue. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/message.h"
#include "tool/tool.h"

/* ---- the daemon ---- */

static const char account[] = "alice@example.com";
static const char *const *total; /* pairs of key and value that end in NULL */
static int queue_status;

static void
send_row(const char *const *pairs, tool_row_fn *row, void *arg)
{
	struct buf values;

	buf_init(&values, TOOL_VALUES_MAX);
	for (; *pairs; pairs += 2)
		message_values_add(&values, pairs[0], str_of(pairs[1]));
	row(buf_str(&values), arg);
	buf_clear(&values);
}

const struct conf *
tool_conf_to_ask(struct tool *t)
{
	return t->conf;
}

struct conf *
tool_conf(const struct tool *t)
{
	(void)t;
	return NULL;
}

int
tool_ask(const struct tool *t, const struct conf *c, const char *verb, tool_row_fn *row, void *arg)
{
	(void)t;
	(void)c;
	(void)verb;
	(void)row;
	(void)arg;
	return 0;
}

int
tool_ask_running(struct tool *t, const char *verb, tool_row_fn *row, void *arg)
{
	(void)t;
	if (strcmp(verb, "user.show") == 0) {
		send_row((const char *const[]){"name", account, NULL}, row, arg);
		return 0;
	}
	cr_assert_str_eq(verb, "queue.hold");
	send_row(total, row, arg);
	return queue_status;
}

int
tool_report_no_daemon(const struct tool *t, const struct conf *c)
{
	(void)t;
	(void)c;
	return EX_UNAVAILABLE;
}

void
tool_print_text(int exit_code, struct str text)
{
	(void)exit_code;
	(void)text;
}

void
tool_print_result(const struct tool *t, int exit_code, struct str text, bool has_rows)
{
	(void)t;
	(void)exit_code;
	(void)text;
	(void)has_rows;
}

/* ---- the output ---- */

static FILE *
capture(int fd)
{
	FILE *f = tmpfile();

	cr_assert(f);
	cr_assert_eq(dup2(fileno(f), fd), fd);
	return f;
}

static const char *
captured(FILE *f, char *text, size_t size)
{
	fflush(stdout);
	fflush(stderr);
	text[pread(fileno(f), text, size - 1, 0)] = '\0';
	return text;
}

#define TOTAL(...) ((const char *const[]){"row", "total", __VA_ARGS__, NULL})
#define MISSED                                                                                     \
	"sallyport: the account is suspended, but its queued mail is not held, or not all of it: " \
	"give the command again\n"

static void
suspend(int status, const char *const *row, bool is_json, const char *out, const char *err)
{
	const struct operator_command command = {
	    .verb = "user.suspend", .usage = "user suspend NAME"};
	struct tool t = {.args = {account}, .arg_count = 1, .hold = true, .json = is_json};
	FILE *f[2] = {capture(STDOUT_FILENO), capture(STDERR_FILENO)};
	char text[1000];

	queue_status = status;
	total = row;
	buf_init(&t.values, TOOL_VALUES_MAX);
	cr_expect_eq(tool_user_act(&t, &command), status);
	cr_expect_str_eq(captured(f[0], text, sizeof text), out, "%s", text);
	cr_expect_str_eq(captured(f[1], text, sizeof text), err, "%s", text);
	buf_clear(&t.values);
	fclose(f[0]);
	fclose(f[1]);
}

Test(user_commands, messages_are_held)
{
	suspend(0, TOTAL("changed", "2", "unchanged", "0", "failed", "0"), false,
	    "2 queued messages held\n", "");
}

Test(user_commands, messages_held_before_are_counted)
{
	suspend(0, TOTAL("changed", "0", "unchanged", "5", "failed", "0"), false,
	    "0 queued messages held; 5 were held already\n", "");
}

Test(user_commands, a_failed_hold_is_reported)
{
	suspend(
	    EX_IOERR, TOTAL("changed", "1", "unchanged", "0", "failed", "2"), false, "", MISSED);
	suspend(
	    EX_TEMPFAIL, TOTAL("changed", "0", "unchanged", "0", "failed", "0"), false, "", MISSED);
	suspend(EX_IOERR,
	    TOTAL("changed", "1", "unchanged", "0", "failed", "2", "coming", "not held"), false, "",
	    MISSED);
}

/* The queue has answered that stored messages are held, and those still being stored are not. */
Test(user_commands, messages_being_stored_are_not_held)
{
	suspend(EX_TEMPFAIL,
	    TOTAL("changed", "2", "unchanged", "0", "failed", "0", "coming", "not held"), false,
	    "2 queued messages held\n", "");
	suspend(EX_TEMPFAIL,
	    TOTAL("changed", "2", "unchanged", "0", "failed", "0", "coming", "not held"), true,
	    "{\"v\":1,\"row\":\"total\",\"changed\":2,\"unchanged\":0,\"failed\":0,\"coming\":"
	    "\"not held\"}\n",
	    "");
}

/* user_commands: what the changes of an account print about its queued mail agrees with the answer
 * of the queue. */
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

/* What the queue was asked last. */
static char asked[64], asked_user[64];
static int account_status, left_status;

static void
remember(const struct tool *t, const char *verb)
{
	struct str values = buf_str(&t->values), user = message_values_get(values, "account");

	if (user.n == 0)
		user = message_values_get(values, "user");
	snprintf(asked, sizeof asked, "%s%s", verb,
	    message_values_get(values, "dry_run").n ? " dry" : "");
	snprintf(asked_user, sizeof asked_user, "%.*s", STR_ARG(user));
}

int
tool_ask(const struct tool *t, const struct conf *c, const char *verb, tool_row_fn *row, void *arg)
{
	(void)c;
	if (strncmp(verb, "user.", 5) == 0) {
		if (account_status == 0)
			send_row((const char *const[]){"row", "account", "name", account, NULL},
			    row, arg);
		return account_status;
	}
	remember(t, verb);
	if (left_status == 0)
		send_row(total, row, arg);
	return left_status;
}

int
tool_ask_running(struct tool *t, const char *verb, tool_row_fn *row, void *arg)
{
	remember(t, verb);
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

/* One command for "alice", whose account has the name above. */
static void
act(struct tool *t, const char *verb, int status, const char *out, const char *err)
{
	const struct operator_command command = {.verb = verb, .usage = "user VERB NAME"};
	FILE *f[2] = {capture(STDOUT_FILENO), capture(STDERR_FILENO)};
	char text[1000];

	t->args[0] = "alice";
	t->arg_count = 1;
	buf_init(&t->values, TOOL_VALUES_MAX);
	cr_expect_eq(tool_user_act(t, &command), status);
	cr_expect_str_eq(captured(f[0], text, sizeof text), out, "%s", text);
	cr_expect_str_eq(captured(f[1], text, sizeof text), err, "%s", text);
	buf_clear(&t->values);
	fclose(f[0]);
	fclose(f[1]);
}

static void
suspend(int status, const char *const *row, bool is_json, const char *out, const char *err)
{
	struct tool t = {.hold = true, .json = is_json};

	queue_status = status;
	total = row;
	act(&t, "user.suspend", status, out, err);
	cr_expect_str_eq(asked, "queue.hold");
	cr_expect_str_eq(asked_user, account);
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
	    "{\"v\":1,\"row\":\"account\",\"name\":\"alice@example.com\"}\n"
	    "{\"v\":1,\"row\":\"total\",\"changed\":2,\"unchanged\":0,\"failed\":0,\"coming\":"
	    "\"not held\"}\n",
	    "");
}

/* ---- without an option ---- */

static const struct {
	const char *verb, *queued, *held, *out;
} left[] = {
    {"user.suspend", "3", "0", "3 queued messages go on (--hold holds them)\n"},
    {"user.suspend", "1", "0", "1 queued message goes on (--hold holds it)\n"},
    {"user.suspend", "3", "2", "1 queued message goes on (--hold holds it); 2 stay held\n"},
    {"user.suspend", "0", "0", "0 queued messages go on\n"},
    {"user.remove", "3", "0", "3 queued messages go on\n"},
    {"user.remove", "3", "1",
	"2 queued messages go on; 1 stays held, and a new account of this name would have it "
	"(queue release --user alice@example.com sends it, queue delete --user alice@example.com "
	"deletes it)\n"},
};

Test(user_commands, each_command_says_what_becomes_of_queued_mail)
{
	for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
		struct tool t = {0};

		total = (const char *const[]){
		    "queued", left[i].queued, "queued_held", left[i].held, NULL};
		act(&t, left[i].verb, 0, left[i].out, "");
		cr_expect_str_eq(asked, "queue.user");
		cr_expect_str_eq(asked_user, account);
	}
}

Test(user_commands, a_resume_says_what_stays_held)
{
	struct tool t = {0}, json = {.json = true};

	total = TOTAL("changed", "2", "unchanged", "1", "failed", "0");
	act(&t, "user.resume", 0,
	    "2 queued messages stay held (--release sends them); 1 stays held for another reason\n",
	    "");
	cr_expect_str_eq(asked, "queue.release dry");
	act(&json, "user.resume", 0,
	    "{\"v\":1,\"row\":\"account\",\"name\":\"alice@example.com\"}\n"
	    "{\"v\":1,\"row\":\"mail\",\"queued_held\":3,\"queued_held_for_suspension\":2}\n",
	    "");
	total = TOTAL("changed", "0", "unchanged", "0", "failed", "0");
	act(&t, "user.resume", 0, "0 queued messages stay held\n", "");
}

/* The change of the account is done, so the command has not failed. */
Test(user_commands, a_queue_that_does_not_answer_fails_no_change_of_an_account)
{
	struct tool t = {0};

	left_status = EX_UNAVAILABLE;
	act(&t, "user.suspend", 0, "",
	    "sallyport: the account is changed; how much of its mail is queued is not known\n");
	left_status = TOOL_NO_DAEMON;
	act(&t, "user.remove", 0,
	    "its queued mail was not looked at: the daemon is not running\n", "");
}

Test(user_commands, mail_of_a_removed_account_is_released)
{
	struct tool t = {.release = true};

	account_status = EX_NOUSER;
	total = TOTAL("changed", "2", "unchanged", "1", "failed", "0");
	act(&t, "user.resume", 0,
	    "alice: no such account; this is about its queued mail only\n"
	    "2 queued messages released; 1 stays held for another reason\n",
	    "");
	cr_expect_str_eq(asked, "queue.release");
	cr_expect_str_eq(asked_user, "alice");
	total = TOTAL("changed", "0", "unchanged", "0", "failed", "0");
	act(&t, "user.resume", EX_NOUSER, "",
	    "alice: no such account, and none of its mail is held\n");
}

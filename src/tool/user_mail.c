/*
 * user_mail: asks the queue about the mail of one account, by its full name, and prints the answer
 * as one line, or as one row of JSON. A change of the account stands, whatever the queue answers.
 */
#include "tool/user_mail.h"

#include <stdio.h>
#include <string.h>

#include "ipc/message.h"
#include "tool/print.h"

void
tool_user_mail_init(struct tool_user_mail *mail, struct tool *t, const char *given)
{
	*mail = (struct tool_user_mail){.tool = t, .given = given};
	buf_init(&mail->account, TOOL_VALUES_MAX);
}

void
tool_user_mail_clear(struct tool_user_mail *mail)
{
	buf_clear(&mail->account);
}

void
tool_user_mail_take_account(struct str values, void *arg)
{
	struct tool_user_mail *mail = arg;

	buf_reset(&mail->account);
	buf_adds(&mail->account, message_values_get(values, "name"));
	if (mail->tool->json && !mail->tool->quiet)
		print_json(values);
}

static void
user_mail_add_number(struct str values, const char *key, uint64_t *sum)
{
	uint64_t n;

	if (str_u64(message_values_get(values, key), &n))
		*sum += n;
}

static void
user_mail_add_row(struct str values, void *arg)
{
	struct tool_user_mail *mail = arg;

	if (str_eq(message_values_get(values, "row"), STR("total"))) {
		user_mail_add_number(values, "changed", &mail->changed);
		user_mail_add_number(values, "unchanged", &mail->unchanged);
		user_mail_add_number(values, "failed", &mail->failed);
		mail->incoming_not_held |=
		    str_eq(message_values_get(values, "coming"), STR("not held"));
	} else if (mail->tool->json) {
		print_json(values);
	}
}

/* Without the ids of messages that a dry run names. */
static void
user_mail_count(struct str values, void *arg)
{
	struct tool_user_mail *mail = arg;

	if (str_eq(message_values_get(values, "row"), STR("total")))
		user_mail_add_row(values, arg);
	user_mail_add_number(values, "queued", &mail->queued);
	user_mail_add_number(values, "queued_held", &mail->held);
}

/* Prepares the values of a command to the queue, for mail of this user only. */
static void
user_mail_begin_command(struct tool *asking, const struct tool_user_mail *mail)
{
	*asking = *mail->tool;
	asking->quiet = true;
	buf_init(&asking->values, TOOL_VALUES_MAX);
	if (mail->account.n)
		message_values_add(&asking->values, "account", buf_str(&mail->account));
	else
		message_values_add(&asking->values, "user", str_of(mail->given));
}

/* Only what the suspension holds: the rest is counted as unchanged. */
static void
user_mail_begin_release(struct tool *asking, const struct tool_user_mail *mail)
{
	user_mail_begin_command(asking, mail);
	message_values_add(&asking->values, "state", STR("held"));
	message_values_add(&asking->values, "held_for", STR(MESSAGE_SUSPENSION_REASON));
	message_values_add(&asking->values, "reason", STR("user resumed"));
}

static int
user_mail_ask_hold(struct tool_user_mail *mail)
{
	struct str reason = message_values_get(buf_str(&mail->tool->values), "reason");
	struct tool asking;
	struct buf why;
	int status;

	user_mail_begin_command(&asking, mail);
	buf_init(&why, TOOL_VALUES_MAX);
	buf_addf(
	    &why, "%s%s%.*s", MESSAGE_SUSPENSION_REASON, reason.n ? ": " : "", STR_ARG(reason));
	message_values_add(&asking.values, "reason", buf_str(&why));
	/* also messages of its sessions that are still being stored */
	message_values_add(&asking.values, "coming", STR("yes"));
	status = tool_ask_running(&asking, "queue.hold", user_mail_add_row, mail);
	buf_clear(&why);
	buf_clear(&asking.values);
	return status;
}

static int
user_mail_ask_release(struct tool_user_mail *mail)
{
	struct tool asking;
	int status;

	user_mail_begin_release(&asking, mail);
	status = tool_ask_running(&asking, "queue.release", user_mail_add_row, mail);
	buf_clear(&asking.values);
	return status;
}

/* ---- what is printed ---- */

/* "1 queued message goes on", "2 queued messages go on" */
static void
print_mail_count(uint64_t n, const char *one, const char *many)
{
	printf("%llu queued message%s %s", (unsigned long long)n, n == 1 ? "" : "s",
	    n == 1 ? one : many);
}

static void
print_mail_rest(uint64_t n, const char *one, const char *many)
{
	if (n)
		printf("; %llu %s", (unsigned long long)n, n == 1 ? one : many);
}

static void
print_user_mail_total(const struct tool_user_mail *mail)
{
	struct buf values;

	buf_init(&values, TOOL_VALUES_MAX);
	message_values_add(&values, "row", STR("total"));
	message_values_add_number(&values, "changed", mail->changed);
	message_values_add_number(&values, "unchanged", mail->unchanged);
	message_values_add_number(&values, "failed", mail->failed);
	if (mail->incoming_not_held)
		message_values_add(&values, "coming", STR("not held"));
	print_json(buf_str(&values));
	buf_clear(&values);
}

static void
print_user_mail(const struct tool_user_mail *mail, const char *done)
{
	const struct tool *t = mail->tool;

	if (t->quiet)
		return;
	if (t->json) {
		print_user_mail_total(mail);
		return;
	}
	print_mail_count(mail->changed, done, done);
	if (t->release)
		print_mail_rest(mail->unchanged, "stays held for another reason",
		    "stay held for another reason");
	if (t->hold)
		print_mail_rest(mail->unchanged, "was held already", "were held already");
	putchar('\n');
}

static void
print_mail_left_json(const struct tool_user_mail *mail, bool is_resumed)
{
	struct buf values;

	buf_init(&values, TOOL_VALUES_MAX);
	message_values_add(&values, "row", STR("mail"));
	if (!is_resumed)
		message_values_add_number(&values, "queued", mail->queued);
	message_values_add_number(&values, "queued_held", mail->held);
	if (is_resumed)
		message_values_add_number(&values, "queued_held_for_suspension", mail->changed);
	print_json(buf_str(&values));
	buf_clear(&values);
}

static void
print_mail_of_suspended(const struct tool_user_mail *mail)
{
	print_mail_count(mail->queued - mail->held, "goes on (--hold holds it)",
	    mail->queued > mail->held ? "go on (--hold holds them)" : "go on");
	print_mail_rest(mail->held, "stays held", "stay held");
	putchar('\n');
}

static void
print_mail_of_resumed(const struct tool_user_mail *mail)
{
	print_mail_count(mail->changed, "stays held (--release sends it)",
	    mail->changed ? "stay held (--release sends them)" : "stay held");
	print_mail_rest(mail->unchanged, "stays held for another reason",
	    "stay held for another reason");
	putchar('\n');
}

static void
print_mail_of_removed(const struct tool_user_mail *mail)
{
	struct str name = buf_str(&mail->account);

	print_mail_count(mail->queued - mail->held, "goes on", "go on");
	print_mail_rest(mail->held, "stays held", "stay held");
	if (mail->held)
		printf(", and a new account of this name would have %s (queue release --user %.*s "
		       "sends %s, queue delete --user %.*s deletes %s)",
		    mail->held == 1 ? "it" : "them", STR_ARG(name), mail->held == 1 ? "it" : "them",
		    STR_ARG(name), mail->held == 1 ? "it" : "them");
	putchar('\n');
}

/* ---- after the change of the account ---- */

static int
user_mail_hold(struct tool_user_mail *mail)
{
	int status = user_mail_ask_hold(mail);

	if (status && !(status == EX_TEMPFAIL && mail->incoming_not_held))
		fputs("sallyport: the account is suspended, but its queued mail is not held, or "
		      "not all of it: give the command again\n", stderr);
	else
		print_user_mail(mail, "held");
	return status;
}

static int
user_mail_release(struct tool_user_mail *mail)
{
	int status = user_mail_ask_release(mail);

	if (status)
		fputs("sallyport: the account may log in again, but its queued mail is not "
		      "released, or not all of it: give the command again\n", stderr);
	else
		print_user_mail(mail, "released");
	return status;
}

/* How much mail is left as it was. */
static int
user_mail_ask_left(struct tool_user_mail *mail, bool is_resumed)
{
	struct tool asking;
	int status;

	if (is_resumed) {
		user_mail_begin_release(&asking, mail);
		message_values_add(&asking.values, "dry_run", STR("1"));
	} else {
		user_mail_begin_command(&asking, mail);
	}
	status = tool_ask(&asking, tool_conf_to_ask(mail->tool),
	    is_resumed ? "queue.release" : "queue.user", user_mail_count, mail);
	buf_clear(&asking.values);
	if (is_resumed)
		mail->held = mail->changed + mail->unchanged;
	return status;
}

static void
user_mail_print_left(struct tool_user_mail *mail, const char *verb)
{
	bool is_resumed = strcmp(verb, "user.resume") == 0;
	int status = user_mail_ask_left(mail, is_resumed);

	if (status == TOOL_NO_DAEMON && !mail->tool->json)
		puts("its queued mail was not looked at: the daemon is not running");
	if (status && status != TOOL_NO_DAEMON)
		fputs("sallyport: the account is changed; how much of its mail is queued is not "
		      "known\n", stderr);
	if (status)
		return;
	if (mail->tool->json)
		print_mail_left_json(mail, is_resumed);
	else if (is_resumed)
		print_mail_of_resumed(mail);
	else if (strcmp(verb, "user.remove") == 0)
		print_mail_of_removed(mail);
	else
		print_mail_of_suspended(mail);
}

int
tool_user_mail_finish(struct tool_user_mail *mail, const char *verb)
{
	if (mail->tool->hold)
		return user_mail_hold(mail);
	if (mail->tool->release)
		return user_mail_release(mail);
	if (!mail->tool->quiet)
		user_mail_print_left(mail, verb);
	return 0;
}

static void
print_removed_account(const struct tool_user_mail *mail, const char *text)
{
	struct buf values;

	if (mail->tool->quiet)
		return;
	if (!mail->tool->json) {
		printf("%s: %s\n", mail->given, text);
		return;
	}
	buf_init(&values, TOOL_VALUES_MAX);
	message_values_add(&values, "row", STR("account"));
	message_values_add(&values, "name", str_of(mail->given));
	message_values_add(&values, "state", STR("none"));
	message_values_add(&values, "text", str_of(text));
	print_json(buf_str(&values));
	buf_clear(&values);
}

int
tool_user_mail_release_removed(struct tool_user_mail *mail)
{
	int status = user_mail_ask_release(mail);

	if (status)
		return status;
	if (mail->changed + mail->unchanged == 0) {
		fprintf(stderr, "%s: no such account, and none of its mail is held\n", mail->given);
		return EX_NOUSER;
	}
	print_removed_account(mail, "no such account; this is about its queued mail only");
	print_user_mail(mail, "released");
	return 0;
}

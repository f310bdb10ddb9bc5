/*
 * user_show: `user show`: an account from auth, its limits and mail from the queue, and its
 * addresses from the configuration file, in one record.
 */
#include <stdio.h>

#include "conf/login_name.h"
#include "ipc/message.h"
#include "tool/print.h"
#include "tool/tool.h"

enum { RECORD_BYTES_MAX = 1 << 20 };

/* A tool_row_fn: adds the row to the record. */
static void
add_user_row(struct str values, void *arg)
{
	struct buf *record = arg;

	buf_adds(record, values);
}

static void
add_user_addresses(const struct conf *c, struct str user, struct buf *record)
{
	if (str_has(user, '@'))
		message_values_add(record, "address", user);
	for (size_t i = 0; !str_has(user, '@') && i < c->domains.count; i++) {
		struct buf own;

		buf_init(&own, TOOL_VALUES_MAX);
		buf_adds(&own, user);
		buf_addc(&own, '@');
		buf_adds(&own, c->domains.item[i].name);
		message_values_add(record, "address", buf_str(&own));
		buf_clear(&own);
	}
	for (size_t i = 0; i < c->sender_policy.send_as.count; i++) {
		const struct conf_send_as *s = &c->sender_policy.send_as.item[i];

		if (!login_name_means(c, s->user, user))
			continue;
		for (size_t n = 0; n < s->addresses.count; n++)
			message_values_add(record, "address", s->addresses.str[n]);
	}
}

static void
print_list(const char *label, struct str values, const char *wanted)
{
	struct str key, value;

	while (message_values_next(&values, &key, &value))
		if (str_eq(key, str_of(wanted)))
			print_labelled(0, label, value);
}

/* Prints each rate with its use: "14 of 300 recipients / 1h". */
static void
print_limits(struct str values)
{
	struct str rest = values, used_rest = values, key, value, used;

	while (message_values_next(&rest, &key, &value)) {
		if (!str_eq(key, STR("limit")))
			continue;
		while (message_values_next(&used_rest, &key, &used) &&
		       !str_eq(key, STR("limit_used")))
			;
		printf("%-*s %.*s of %.*s\n", PRINT_LABEL_COLUMNS, "limit, used", STR_ARG(used),
		    STR_ARG(value));
	}
	print_labelled(0, "limit from", message_values_get(values, "limit_source"));
}

/* Prints the reply to the next recipient of this user. */
static void
print_next_recipient(struct str values)
{
	struct str wait = message_values_get(values, "limit_wait_s");
	uint64_t s;

	if (!str_u64(wait, &s))
		return;
	if (str_eq(message_values_get(values, "state"), STR("suspended")))
		print_labelled(0, "next recipient", STR("refused: the account is suspended"));
	else if (s == 0)
		print_labelled(0, "next recipient", STR("accepted now, as far as limits go"));
	else
		printf("%-*s in %llu s; until then 450 4.7.1\n", PRINT_LABEL_COLUMNS,
		    "next recipient", (unsigned long long)s);
}

static void
print_last_login(struct str values)
{
	struct str at = message_values_get(values, "last_login");

	if (at.n) {
		printf("%-*s %.*s from %.*s by %.*s\n", PRINT_LABEL_COLUMNS, "last login",
		    STR_ARG(at), STR_ARG(message_values_get(values, "last_login_from")),
		    STR_ARG(message_values_get(values, "last_login_mechanism")));
		return;
	}
	at = message_values_get(values, "logins_since");
	if (at.n)
		printf("%-*s none since %.*s\n", PRINT_LABEL_COLUMNS, "last login", STR_ARG(at));
}

static void
print_user(struct str values)
{
	static const char *const fields[][2] = {{"suspended", "suspended"},
	    {"reason", "reason"}, {"created", "created"},
	    {"password set", "password_changed"}, {"iterations", "iterations"}};

	print_labelled(0, "name", message_values_get(values, "name"));
	print_labelled(0, "state", message_values_get(values, "state"));
	print_list("blocked", values, "blocked");
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		print_labelled(0, fields[i][0], message_values_get(values, fields[i][1]));
	print_last_login(values);
	print_labelled(0, "failed logins", message_values_get(values, "failed_logins"));
	print_list("may send as", values, "address");
	if (message_values_get(values, "queued").n == 0)
		return;
	print_limits(values);
	print_labelled(0, "lent", message_values_get(values, "limit_lent"));
	print_next_recipient(values);
	print_labelled(0, "queued messages", message_values_get(values, "queued"));
	print_labelled(0, "of them held", message_values_get(values, "queued_held"));
}

/* Adds what the queue knows; it is no error if no daemon runs. */
static int
ask_queue_of_user(const struct tool *t, const struct conf *c, struct str user, struct buf *record)
{
	struct tool asking = *t;
	int status;

	buf_init(&asking.values, TOOL_VALUES_MAX);
	message_values_add(&asking.values, "account", user);
	status = tool_ask(&asking, c, "queue.user", add_user_row, record);
	buf_clear(&asking.values);
	if (status == TOOL_NO_DAEMON) {
		fputs("sallyport: the daemon is not running: limits, logins and queued mail are "
		      "not known\n", stderr);
		status = 0;
	}
	return status;
}

/* Completes the record by the name from auth, which may have been given without its domain. */
static int
complete_user_record(struct tool *t, struct buf *record)
{
	const struct conf *c = tool_conf_to_ask(t);
	struct str name = message_values_get(buf_str(record), "name");
	struct buf user;
	int status = 0;

	buf_init(&user, TOOL_VALUES_MAX);
	buf_adds(&user, name);
	if (!t->quiet)
		status = ask_queue_of_user(t, c, buf_str(&user), record);
	/* without send_as addresses if the file has errors, which were printed, or may not be
	 * read */
	if (t->is_config_hidden && !t->quiet)
		fprintf(stderr, "sallyport: this user may not read %s: what "
		    "sender_policy.send_as gives is not shown\n", t->config_path);
	add_user_addresses(c, buf_str(&user), record);
	buf_clear(&user);
	return status;
}

int
tool_user_show(struct tool *t, const struct operator_command *command)
{
	struct buf record;
	int status = tool_user_name(t, command);

	if (status)
		return status;
	buf_init(&record, RECORD_BYTES_MAX);
	status = tool_user_ask(t, command->verb, add_user_row, &record);
	if (status == 0) {
		status = complete_user_record(t, &record);
		if (t->json)
			print_json(buf_str(&record));
		else if (t->quiet)
			print_labelled(-1, "", message_values_get(buf_str(&record), "name"));
		else
			print_user(buf_str(&record));
	}
	buf_clear(&record);
	return status;
}

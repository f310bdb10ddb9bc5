/*
 * config_show: the values of the configuration: those of the file, those of the daemon, and their
 * differences.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/changes.h"
#include "conf/explain.h"
#include "conf/json.h"
#include "conf/read.h"
#include "conf/value.h"
#include "conf/write.h"
#include "ipc/message.h"
#include "tool/print.h"
#include "tool/tool.h"

enum { TEXT_MAX = 64 << 20, RUNNING_BYTES_MAX = CONF_TEXT_BYTES_MAX };

/* ---- the running configuration ---- */

static void
add_config_part(struct str values, void *arg)
{
	buf_adds(arg, message_values_get(values, "text"));
}

/* NULL: the error is printed, and *status_out is the exit code. */
static struct conf *
parse_running_config(struct str text, int *status_out)
{
	struct conf_report report;
	struct conf *c;

	conf_report_init(&report);
	c = conf_read_text(text, &report);
	if (!c) {
		tool_print_text(EX_SOFTWARE, buf_str(&report.text));
		*status_out = EX_SOFTWARE;
	}
	conf_report_clear(&report);
	return c;
}

typedef int tool_ask_fn(struct tool *t, const char *verb, tool_row_fn *row, void *arg);

static struct conf *
fetch_running_config(struct tool *t, tool_ask_fn *ask, int *status_out)
{
	struct conf *c = NULL;
	struct buf text;

	buf_init(&text, RUNNING_BYTES_MAX);
	*status_out = ask(t, "config.show", add_config_part, &text);
	if (*status_out == 0 && !buf_ok(&text)) {
		tool_print_text(
		    EX_SOFTWARE, STR("sallyport: the running configuration is larger than 8 MiB "
		                     "and is not shown"));
		*status_out = EX_SOFTWARE;
	}
	if (*status_out == 0)
		c = parse_running_config(buf_str(&text), status_out);
	buf_clear(&text);
	return c;
}

/* As tool_ask_running, but prints nothing when no daemon is running. */
static int
ask_if_daemon_runs(struct tool *t, const char *verb, tool_row_fn *row, void *arg)
{
	return tool_ask(t, tool_conf_to_ask(t), verb, row, arg);
}

/* For an explanation, which needs no daemon: NULL if none runs, or this user may not use it. */
static struct conf *
fetch_running_config_if_any(struct tool *t, const struct conf *file)
{
	struct conf *guess = file ? NULL : conf_read_run_directory(t->config_path);
	struct str directory = file ? file->run_directory : guess->run_directory;
	struct conf *running;
	char path[4096];
	int status;

	if (t->run_directory)
		directory = str_of(t->run_directory);
	snprintf(path, sizeof path, "%.*s/control.sock", STR_ARG(directory));
	conf_drop(&guess);
	if (access(path, R_OK | W_OK) != 0)
		return NULL;
	t->hidden_status = EX_NOPERM;
	/* a member of the help desk may not see it: that is expected, and not to be logged */
	message_values_add(&t->values, "if_allowed", STR("1"));
	running = fetch_running_config(t, ask_if_daemon_runs, &status);
	t->hidden_status = 0;
	return running;
}

/* ---- JSON ---- */

/* Prints the members as one object in a line. */
static void
print_object(struct str members)
{
	fputs("{\"v\":1", stdout);
	if (members.n)
		putchar(',');
	fwrite(members.p, 1, members.n, stdout);
	puts("}");
}

static void
print_settings(struct str settings)
{
	struct buf members;

	buf_init(&members, TEXT_MAX);
	conf_write_json(settings, &members);
	print_object(buf_str(&members));
	buf_clear(&members);
}

/* ---- commands ---- */

int
tool_config_show(struct tool *t, const struct operator_command *command)
{
	int status = EX_CONFIG;
	struct conf *c =
	    t->running ? fetch_running_config(t, tool_ask_running, &status) : tool_conf(t);
	struct buf text;

	(void)command;
	if (!c)
		return status;
	buf_init(&text, TEXT_MAX);
	conf_write(c, CONF_ALL, t->all, false, &text);
	if (t->json)
		print_settings(buf_str(&text));
	else
		tool_print_text(0, buf_str(&text));
	buf_clear(&text);
	conf_drop(&c);
	return 0;
}

static void
report_unknown_key(const char *key)
{
	const char *meant = conf_key_suggest(str_of(key));

	fprintf(stderr, "sallyport: there is no key \"%s\"%s%s%s\n", key,
	    meant ? "; did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
}

static int
explain_config_key(const struct tool *t, const struct conf *running, const struct conf *file)
{
	struct str key = str_of(t->args[0]);
	struct buf text;
	bool is_known;

	buf_init(&text, TEXT_MAX);
	is_known = t->json ? conf_explain_json(key, running, file, &text)
			   : conf_explain(key, running, file, &text);
	if (is_known && t->json)
		print_object(buf_str(&text));
	else if (is_known)
		tool_print_text(0, buf_str(&text));
	else
		report_unknown_key(t->args[0]);
	buf_clear(&text);
	return is_known ? 0 : EX_DATAERR;
}

/* Values are shown if they are known; the explanation itself needs none. */
int
tool_config_explain(struct tool *t, const struct operator_command *command)
{
	struct conf_report report;
	struct conf *file, *running;
	int status;

	if (t->arg_count != 1) {
		fprintf(stderr, "usage: sallyport %s\n", command->usage);
		return EX_USAGE;
	}
	conf_report_init(&report);
	file = conf_read_file(t->config_path, CONF_SECRETS_LEAVE, &report);
	conf_report_clear(&report);
	running = fetch_running_config_if_any(t, file);
	status = explain_config_key(t, running, file);
	conf_drop(&file);
	conf_drop(&running);
	return status;
}

/* ---- config diff ---- */

struct tool_config_difference {
	const struct tool *tool;
	unsigned count;
};

static void
print_change_json(const struct conf_change *change)
{
	struct buf settings;

	buf_init(&settings, TEXT_MAX);
	buf_addf(&settings, "row = \"change\";\nkey = \"%s\";\n", change->key);
	if (change->groups.n) {
		buf_addz(&settings, "groups = ");
		value_print_text(change->groups, &settings);
		buf_addz(&settings, ";\n");
	} else {
		buf_addf(&settings, "running = %.*s;\nfile = %.*s;\n", STR_ARG(change->before),
		    STR_ARG(change->after));
	}
	buf_addf(&settings, "restart = %s;\n", change->needs_restart ? "true" : "false");
	print_settings(buf_str(&settings));
	buf_clear(&settings);
}

static void
print_change(const struct conf_change *change)
{
	struct buf line;

	buf_init(&line, TEXT_MAX);
	conf_write_change(change, &line);
	line.n--;
	(void)print_text(buf_str(&line));
	putchar('\n');
	buf_clear(&line);
}

/* Warns that the daemon was started with another configuration file, which it compares. */
static void
warn_of_other_file(const struct tool *t, struct str path)
{
	struct stat mine, other;
	char text[4096];

	snprintf(text, sizeof text, "%.*s", STR_ARG(path));
	if (text[0] != '/' || stat(t->config_path, &mine) != 0 || stat(text, &other) != 0)
		return;
	if (mine.st_dev != other.st_dev || mine.st_ino != other.st_ino)
		fprintf(stderr, "sallyport: the daemon reads %s, which is compared, and not %s\n",
		    text, t->config_path);
}

static void
print_config_difference(struct str values, void *arg)
{
	struct tool_config_difference *d = arg;
	struct buf key;
	struct conf_change change = {.before = message_values_get(values, "running"),
	    .after = message_values_get(values, "file"),
	    .groups = message_values_get(values, "groups"),
	    .needs_restart = str_eq(message_values_get(values, "restart"), STR("yes"))};

	if (!str_eq(message_values_get(values, "row"), STR("change"))) {
		warn_of_other_file(d->tool, message_values_get(values, "path"));
		if (d->tool->json)
			print_json(values);
		return;
	}
	d->count++;
	buf_init(&key, TEXT_MAX);
	buf_adds(&key, message_values_get(values, "key"));
	buf_addc(&key, '\0');
	change.key = key.p;
	if (d->tool->json)
		print_change_json(&change);
	else if (!d->tool->quiet)
		print_change(&change);
	/* with a pipe, the rows come before the final text */
	fflush(stdout);
	buf_clear(&key);
}

int
tool_config_diff(struct tool *t, const struct operator_command *command)
{
	struct tool_config_difference d = {.tool = t};
	int status = tool_ask_running(t, command->verb, print_config_difference, &d);

	if (status == 0)
		tool_warn_of_accounts(t);
	return status ? status : d.count ? EX_NEGATIVE : 0;
}

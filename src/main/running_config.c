/*
 * running_config: see the header.  Main makes the comparison because only main may read the files
 * that "credential:" and "file:" name; the answer goes through control, which gets no secret.
 */
#include "main/running_config.h"

#include <stdio.h>

#include "conf/changes.h"
#include "conf/login_name.h"
#include "conf/read.h"
#include "conf/write.h"
#include "ipc/message.h"
#include "main/resources.h"

enum {
	PART_BYTES = 64 << 10,
	SHOWN_BYTES = 16 << 10, /* shown of one value in a comparison */
};

static void
running_config_send_row(struct channel *control, uint64_t call, struct buf *values)
{
	struct message_admin_row row = {.values = buf_str(values)};

	(void)!channel_answer(control, call, MESSAGE_ADMIN_ROW, &row, -1);
	buf_clear(values);
}

void
running_config_add_lines(struct buf *out, struct str text, size_t most)
{
	unsigned omitted = 0;
	struct str line;

	while (text.n && str_find(text, '\n') < most) {
		size_t n = str_find(text, '\n') + 1;

		n = n < text.n ? n : text.n;
		buf_adds(out, str_upto(text, n));
		text = str_from(text, n);
		most -= n < most ? n : most;
	}
	while (str_split(&text, '\n', &line))
		omitted += line.n != 0;
	if (omitted)
		buf_addf(out, "(and %u more line%s)\n", omitted, omitted == 1 ? "" : "s");
}

int
running_config_send(
    const struct daemon *d, struct channel *control, uint64_t call, struct buf *text_out)
{
	struct buf text, values;
	struct str rest;
	bool is_whole;

	buf_init(&text, CONF_TEXT_BYTES_MAX);
	conf_write(d->conf, CONF_ALL, false, false, &text);
	is_whole = buf_ok(&text);
	if (!is_whole)
		buf_addf(text_out,
		    "the running configuration is larger than %d MiB and is not shown\n",
		    CONF_TEXT_BYTES_MAX >> 20);
	for (rest = buf_str(&text); is_whole && rest.n; rest = str_from(rest, PART_BYTES)) {
		buf_init(&values, MESSAGE_CONTENT_MAX);
		message_values_add(&values, "row", STR("config"));
		message_values_add(&values, "text", str_upto(rest, PART_BYTES));
		running_config_send_row(control, call, &values);
	}
	buf_clear(&text);
	return is_whole ? 0 : EXIT_CONFIG;
}

struct running_config_comparison {
	struct channel *control;
	uint64_t call;
	unsigned count;
};

static void
running_config_send_change(const struct conf_change *change, void *arg)
{
	struct running_config_comparison *c = arg;
	struct buf values;

	buf_init(&values, MESSAGE_CONTENT_MAX);
	message_values_add(&values, "row", STR("change"));
	message_values_add(&values, "key", str_of(change->key));
	if (change->groups.n) {
		message_values_add(&values, "groups", str_upto(change->groups, SHOWN_BYTES));
	} else if (change->before.n > SHOWN_BYTES || change->after.n > SHOWN_BYTES) {
		message_values_add(&values, "groups", STR("another value, too long to show"));
	} else {
		message_values_add(&values, "running", change->before);
		message_values_add(&values, "file", change->after);
	}
	message_values_add(&values, "restart", change->needs_restart ? STR("yes") : STR("no"));
	running_config_send_row(c->control, c->call, &values);
	c->count++;
}

static const char group_is_not_looked_up[] =
    "help_desk_group: a comparison does not look the group up: a reload does, and is refused where "
    "it cannot be used";

/* A note if a reload would look up another group; else NULL. */
static const char *
note_about_group(const struct conf *running, const struct conf *file)
{
	bool is_other = !str_eq(file->help_desk_group, running->help_desk_group);

	return file->help_desk_group.n && is_other ? group_is_not_looked_up : NULL;
}

static void
running_config_send_total(const struct daemon *d, const struct running_config_comparison *c,
    const struct conf *file, struct buf *text)
{
	bool is_ambiguous = login_name_is_ambiguous(file) && !login_name_is_ambiguous(d->conf);
	const char *group_note = note_about_group(d->conf, file);
	struct buf values;

	buf_init(&values, MESSAGE_CONTENT_MAX);
	message_values_add(&values, "row", STR("total"));
	message_values_add_number(&values, "changes", c->count);
	message_values_add_number(&values, "generation", d->generation);
	message_values_add(&values, "path", str_of(d->config_path));
	if (is_ambiguous)
		message_values_add(&values, "warning", STR(LOGIN_NAME_AMBIGUOUS));
	if (group_note)
		message_values_add(&values, "note", str_of(group_note));
	running_config_send_row(c->control, c->call, &values);
	if (is_ambiguous)
		buf_addz(text, "warning: " LOGIN_NAME_AMBIGUOUS "\n");
	if (group_note)
		buf_addf(text, "%s\n", group_note);
	buf_addf(text,
	    "%u key%s of %s differ%s from the running configuration (configuration %u)\n",
	    c->count, c->count == 1 ? "" : "s", d->config_path, c->count == 1 ? "s" : "",
	    d->generation);
}

/* 0, or the status with which a reload would refuse the certificates of the file. */
static int
running_config_try_certificates(const struct daemon *d, struct conf *file, struct buf *text)
{
	struct resources_refusal refusal = {.status = 0};

	if (!d->resources || resources_may_use_certificates(file, d->resources, &refusal))
		return 0;
	buf_addf(text, "a reload would be refused: %s\n", refusal.why);
	return refusal.status;
}

int
running_config_compare(
    const struct daemon *d, struct channel *control, uint64_t call, struct buf *text)
{
	struct running_config_comparison comparison = {.control = control, .call = call};
	struct conf *file;
	struct conf_report report;
	int status;

	conf_report_init(&report);
	file = conf_read_file(d->config_path, CONF_SECRETS_COMPARE, &report);
	if (!file)
		running_config_add_lines(text, buf_str(&report.text), RUNNING_CONFIG_REPORT_BYTES);
	conf_report_clear(&report);
	if (!file)
		return EXIT_CONFIG;
	conf_each_change(d->conf, file, running_config_send_change, &comparison);
	running_config_send_total(d, &comparison, file, text);
	status = running_config_try_certificates(d, file, text);
	conf_drop(&file);
	return status;
}

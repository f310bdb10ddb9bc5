/*
 * daemon_admin: see the header.
 */
#include "main/daemon_admin.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/changes.h"
#include "conf/descriptors.h"
#include "conf/login_name.h"
#include "conf/read.h"
#include "ipc/operator_log.h"
#include "main/daemon_metrics.h"
#include "main/daemon_status.h"
#include "main/notices.h"
#include "main/os.h"
#include "main/renewal.h"
#include "main/resources.h"
#include "main/running_config.h"
#include "main/socket_access.h"
#include "main/systemd_notify.h"
#include "main/watch_files.h"

enum {
	CHANGES_BYTES_MAX = 16 << 20,
	FINDINGS_BYTES_MAX = 1 << 20,
	LOGGED_BYTES_MAX = 2400, /* of one reload, in its line of the log */
};

/* The rest is for the lines with the result. */
_Static_assert(RUNNING_CONFIG_REPORT_BYTES + RUNNING_CONFIG_CHANGES_BYTES +
		       RUNNING_CONFIG_FINDINGS_BYTES + 2000 <=
		   DAEMON_ADMIN_ANSWER_BYTES,
    "all find room in an answer");

/* "FILE:LINE: warning: ...", as conf and tls_files write it.  Behind the first quote are values,
 * which may contain the word too. */
static bool
daemon_admin_is_warning(struct str line)
{
	struct str word = STR("warning: ");

	while (line.n && line.p[0] != '"' && !str_starts(line, word))
		line = str_from(line, str_find(line, ' ') + 1);
	return str_starts(line, word);
}

void
daemon_admin_log_warnings(struct str text)
{
	struct log_line l;
	struct str line;

	while (str_split(&text, '\n', &line)) {
		if (!daemon_admin_is_warning(line))
			continue;
		log_begin(&l, LOG_WARNING, "config warning");
		log_quoted(&l, "text", line);
		log_end(&l);
	}
}

/* One line, whatever the number of changes or errors. */
static void
daemon_admin_log_reload(const struct daemon *d, int status, struct str text)
{
	struct log_line l;
	struct buf all;
	struct str line;

	buf_init(&all, LOGGED_BYTES_MAX + 8);
	while (str_split(&text, '\n', &line)) {
		if (line.n == 0 || daemon_admin_is_warning(line))
			continue;
		buf_addz(&all, all.n ? "; " : "");
		if (all.n + line.n > LOGGED_BYTES_MAX) {
			buf_addz(&all, "...");
			break;
		}
		buf_adds(&all, line);
	}
	log_begin(&l, status ? LOG_ERR : LOG_NOTICE, status ? "reload failed" : "reload ok");
	log_num(&l, "configuration", d->generation);
	log_quoted(&l, "text", buf_str(&all));
	log_end(&l);
	buf_clear(&all);
}

static void
daemon_admin_add_finding(const struct tls_files_finding *finding, void *arg)
{
	buf_addf(arg, "%.*s: warning: %s: %s\n", STR_ARG(finding->place), finding->key,
	    finding->text);
}

static void
daemon_admin_add_findings(const struct conf *c, const struct resources *resources, struct buf *text)
{
	struct buf findings;

	buf_init(&findings, FINDINGS_BYTES_MAX);
	conf_descriptors_check(c, "", &findings);
	tls_files_each_finding(
	    c, resources->tls, clock_ms() / 1000, daemon_admin_add_finding, &findings);
	running_config_add_lines(text, buf_str(&findings), RUNNING_CONFIG_FINDINGS_BYTES);
	buf_clear(&findings);
}

/* Puts the new configuration into force.  Everything that can fail is done before. */
static void
daemon_admin_apply_config(
    struct daemon *d, struct conf *new_conf, struct resources *resources, struct buf *text)
{
	struct conf *old_conf = d->conf;
	struct resources *old_resources = d->resources;

	d->generation++;
	d->loaded_ms = clock_ms();
	d->conf = new_conf;
	d->resources = resources;
	os_use_log(new_conf, d->log_secret, &resources->log);
	daemon_admin_add_findings(new_conf, resources, text);
	watch_files_certificates_changed(d);
	renewal_send_config(d);
	resources_shut_listeners(old_resources, resources);
	resources_free(&old_resources);
	conf_drop(&old_conf);
	buf_addf(text, "applied (configuration %u)\n", d->generation);
}

/* The last step that can fail.  After a failure the former access is restored as far as
 * possible. */
static bool
daemon_admin_set_socket_access(
    const struct daemon *d, const struct conf *new_conf, struct resources_refusal *out)
{
	char unused[DAEMON_REASON_BYTES];

	if (socket_access_set(d, d->conf, new_conf, out->why))
		return true;
	out->status = EXIT_IO;
	(void)!socket_access_set(d, new_conf, d->conf, unused);
	return false;
}

/* Returns 0, or the exit status with the reason in the text. */
static int
daemon_admin_read_and_apply(struct daemon *d, struct buf *text)
{
	struct resources_refusal refusal = {.status = EXIT_CONFIG};
	struct conf_report report;
	struct resources *resources = NULL;
	struct conf *new_conf;
	struct buf changes;

	buf_init(&changes, CHANGES_BYTES_MAX);
	conf_report_init(&report);
	new_conf = conf_read_again(d->config_path, d->conf, &report);
	running_config_add_lines(text, buf_str(&report.text), RUNNING_CONFIG_REPORT_BYTES);
	conf_report_clear(&report);
	if (new_conf) {
		conf_write_changes(d->conf, new_conf, &changes);
		if (login_name_is_ambiguous(new_conf) && !login_name_is_ambiguous(d->conf))
			buf_addz(&changes, "warning: " LOGIN_NAME_AMBIGUOUS "\n");
		conf_copy_restart_keys(new_conf, d->conf);
		resources = resources_new(new_conf, d->resources, d->submission_count, &refusal);
	}
	if (resources && !daemon_admin_set_socket_access(d, new_conf, &refusal))
		resources_free(&resources);
	if (resources) {
		running_config_add_lines(text, buf_str(&changes), RUNNING_CONFIG_CHANGES_BYTES);
		buf_clear(&changes);
		daemon_admin_apply_config(d, new_conf, resources, text);
		return 0;
	}
	buf_clear(&changes);
	if (new_conf)
		buf_addf(text, "%s\n", refusal.why);
	buf_addz(text, "the running configuration is unchanged\n");
	conf_drop(&new_conf);
	return refusal.status;
}

/* A log rotation has already moved the file, so it is opened again whether or not the reload
 * succeeds.  If that fails, the former log stays in use. */
static void
daemon_admin_reopen_log(struct daemon *d)
{
	struct os_log log;

	if (os_open_log(d->conf, &log))
		os_use_log(d->conf, d->log_secret, &log);
	else
		log_error("log.target cannot be opened: %m");
}

/* The answer to a reload by signal is not read, so the postmaster gets a notice. */
static void
daemon_admin_add_notice(struct daemon *d, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line))
		if (line.n)
			notices_add(d, NOTICE_RELOAD, str_of(d->config_path), "%.*s",
			    STR_ARG(line));
}

int
daemon_admin_reload(struct daemon *d, struct buf *text)
{
	int status;

	systemd_notify_state("RELOADING=1");
	status = daemon_admin_read_and_apply(d, text);
	if (status) {
		daemon_admin_reopen_log(d);
		daemon_admin_add_notice(d, buf_str(text));
	} else {
		notices_over(d, NOTICE_RELOAD, str_of(d->config_path),
		    "over: a later reload succeeded (generation %u)", d->generation);
	}
	systemd_notify_state("READY=1");
	daemon_admin_log_warnings(buf_str(text));
	daemon_admin_log_reload(d, status, buf_str(text));
	return status;
}

static void
daemon_admin_send_done(struct channel *control, uint64_t call, uint8_t exit_code, struct str text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = text};

	(void)!channel_answer(control, call, MESSAGE_ADMIN_DONE, &m, -1);
}

/* Logs who requested the reload; the next line has the result. */
static void
daemon_admin_log_request(const struct message_admin *m)
{
	struct log_line l;

	operator_log_begin(&l, m);
	log_end(&l);
}

void
daemon_admin_handle(
    struct daemon *d, struct channel *control, uint64_t call, const struct message_admin *m)
{
	struct buf text;

	buf_init(&text, DAEMON_ADMIN_ANSWER_BYTES);
	if (str_eq(m->verb, STR("reload"))) {
		int status;

		daemon_admin_log_request(m);
		status = daemon_admin_reload(d, &text);
		daemon_admin_send_done(control, call, (uint8_t)status, buf_str(&text));
	} else if (str_eq(m->verb, STR("status"))) {
		daemon_status_send_rows(d, control, call);
		daemon_admin_send_done(control, call, 0, STR(""));
	} else if (str_eq(m->verb, STR("metrics"))) {
		daemon_metrics_send_rows(d, control, call);
		daemon_admin_send_done(control, call, 0, STR(""));
	} else if (str_eq(m->verb, STR("config.show"))) {
		int status = running_config_send(d, control, call, &text);

		daemon_admin_send_done(control, call, (uint8_t)status, buf_str(&text));
	} else if (str_eq(m->verb, STR("config.diff"))) {
		int status = running_config_compare(d, control, call, &text);

		daemon_admin_send_done(control, call, (uint8_t)status, buf_str(&text));
	} else {
		daemon_admin_send_done(
		    control, call, EXIT_USAGE, STR("main does not know this command\n"));
	}
	buf_clear(&text);
}

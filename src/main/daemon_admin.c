/*
 * daemon_admin: see the header.
 */
#include "main/daemon_admin.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/descriptors.h"
#include "conf/login_name.h"
#include "conf/reload.h"
#include "ipc/operator_log.h"
#include "main/daemon_status.h"
#include "main/notices.h"
#include "main/os.h"
#include "main/resources.h"
#include "main/running_config.h"
#include "main/socket_access.h"
#include "main/supervise.h"
#include "main/systemd_notify.h"
#include "main/watch_files.h"

enum { CHANGES_BYTES_MAX = 16 << 20, FINDINGS_BYTES_MAX = 1 << 20 };

/* The rest is for the lines that say what became of it. */
_Static_assert(RUNNING_CONFIG_REPORT_BYTES + RUNNING_CONFIG_CHANGES_BYTES +
		       RUNNING_CONFIG_FINDINGS_BYTES + 2000 <=
		   DAEMON_ADMIN_ANSWER_BYTES,
    "all find room in an answer");

static void
daemon_admin_log_lines(int priority, const char *event, struct str text)
{
	struct log_line l;
	struct str line;

	while (str_split(&text, '\n', &line)) {
		if (line.n == 0)
			continue;
		log_begin(&l, priority, event);
		log_quoted(&l, "text", line);
		log_end(&l);
	}
}

static void
daemon_admin_add_finding(const struct tls_files_finding *finding, void *arg)
{
	buf_addf(arg, "%.*s: warning: %s: %s\n", STR_ARG(finding->place), finding->key,
	    finding->text);
}

static void
daemon_admin_add_findings(const struct conf *c, const struct resources *offer, struct buf *text)
{
	struct buf findings;

	buf_init(&findings, FINDINGS_BYTES_MAX);
	conf_descriptors_check(c, "", &findings);
	tls_files_each_finding(
	    c, offer->tls, clock_ms() / 1000, daemon_admin_add_finding, &findings);
	running_config_add_lines(text, buf_str(&findings), RUNNING_CONFIG_FINDINGS_BYTES);
	buf_clear(&findings);
}

/* All that can fail is done already. */
static void
daemon_admin_apply_config(
    struct daemon *d, struct conf *now, struct resources *offer, struct buf *text)
{
	struct conf *before = d->conf;
	struct resources *old = d->offer;

	d->generation++;
	d->loaded_ms = clock_ms();
	d->conf = now;
	d->offer = offer;
	os_use_log(now, d->log_secret, &offer->log);
	daemon_admin_add_findings(now, offer, text);
	watch_files_certificates_changed(d);
	supervise_reload(d);
	resources_shut_listeners(old, offer);
	resources_free(&old);
	conf_drop(&before);
	buf_addf(text, "applied (generation %u)\n", d->generation);
}

/* The last that can fail.  What a failure left half done is set back as far as the system lets. */
static bool
daemon_admin_set_socket_access(
    const struct daemon *d, const struct conf *now, struct resources_refusal *out)
{
	char unused[DAEMON_REASON_BYTES];

	if (socket_access_set(d, d->conf, now, out->why))
		return true;
	out->status = EXIT_IO;
	(void)!socket_access_set(d, now, d->conf, unused);
	return false;
}

/* 0, or the exit status; the text says why. */
static int
daemon_admin_read_and_apply(struct daemon *d, struct buf *text)
{
	struct resources_refusal refusal = {.status = EXIT_CONFIG};
	struct conf_report report;
	struct resources *offer = NULL;
	struct conf *now;
	struct buf changes;

	buf_init(&changes, CHANGES_BYTES_MAX);
	conf_report_init(&report);
	now = conf_read_again(d->config_path, d->conf, &report);
	running_config_add_lines(text, buf_str(&report.text), RUNNING_CONFIG_REPORT_BYTES);
	conf_report_clear(&report);
	if (now) {
		conf_write_changes(d->conf, now, &changes);
		if (login_name_is_ambiguous(now) && !login_name_is_ambiguous(d->conf))
			buf_addz(&changes, "warning: " LOGIN_NAME_AMBIGUOUS "\n");
		conf_copy_restart_keys(now, d->conf);
		offer = resources_new(now, d->offer, d->submission_count, &refusal);
	}
	if (offer && !daemon_admin_set_socket_access(d, now, &refusal))
		resources_free(&offer);
	if (offer) {
		running_config_add_lines(text, buf_str(&changes), RUNNING_CONFIG_CHANGES_BYTES);
		buf_clear(&changes);
		daemon_admin_apply_config(d, now, offer, text);
		return 0;
	}
	buf_clear(&changes);
	if (now)
		buf_addf(text, "%s\n", refusal.why);
	buf_addz(text, "the running configuration is unchanged\n");
	conf_drop(&now);
	return refusal.status;
}

/* Whoever rotates the log has moved the file already: it is opened anew whatever the configuration
 * says.  One that cannot be opened leaves the former one in use. */
static void
daemon_admin_reopen_log(struct daemon *d)
{
	struct os_log log;

	if (os_open_log(d->conf, &log))
		os_use_log(d->conf, d->log_secret, &log);
	else
		log_error("log.target cannot be opened: %m");
}

/* Whoever asked by a signal sees no answer. */
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
	}
	systemd_notify_state("READY=1");
	daemon_admin_log_lines(
	    status ? LOG_ERR : LOG_NOTICE, status ? "reload failed" : "reload ok", buf_str(text));
	return status;
}

static void
daemon_admin_send_done(struct channel *control, uint64_t call, uint8_t exit_code, struct str text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = text};

	(void)!channel_answer(control, call, MESSAGE_ADMIN_DONE, &m, -1);
}

/* Who asked for it; what came of it is the next line's. */
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
	} else if (str_eq(m->verb, STR("main.status"))) {
		daemon_status_send_rows(d, control, call);
		daemon_admin_send_done(control, call, 0, STR(""));
	} else if (str_eq(m->verb, STR("main.config"))) {
		int status = running_config_send(d, control, call, &text);

		daemon_admin_send_done(control, call, (uint8_t)status, buf_str(&text));
	} else if (str_eq(m->verb, STR("main.diff"))) {
		int status = running_config_compare(d, control, call, &text);

		daemon_admin_send_done(control, call, (uint8_t)status, buf_str(&text));
	} else {
		daemon_admin_send_done(
		    control, call, EXIT_USAGE, STR("main does not know this command\n"));
	}
	buf_clear(&text);
}

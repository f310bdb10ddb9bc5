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
_Static_assert(RUNNING_REPORT_BYTES + RUNNING_CHANGES_BYTES + RUNNING_FINDINGS_BYTES + 2000 <=
    ADMIN_ANSWER_BYTES, "all find room in an answer");

static void
log_lines(int priority, const char *event, struct str text)
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
admin_add_finding(const struct tls_finding *finding, void *arg)
{
	buf_addf(arg, "%.*s: warning: %s: %s\n", STR_ARG(finding->place), finding->key,
	    finding->text);
}

static void
admin_add_findings(const struct conf *c, const struct offer *offer, struct buf *text)
{
	struct buf findings;

	buf_init(&findings, FINDINGS_BYTES_MAX);
	conf_descriptors_check(c, "", &findings);
	tls_files_tell(c, offer->tls, clock_ms() / 1000, admin_add_finding, &findings);
	running_add_some(text, buf_str(&findings), RUNNING_FINDINGS_BYTES);
	buf_clear(&findings);
}

/* All that can fail is done already. */
static void
admin_apply(struct daemon *d, struct conf *now, struct offer *offer, struct buf *text)
{
	struct conf *before = d->conf;
	struct offer *old = d->offer;

	d->generation++;
	d->loaded_ms = clock_ms();
	d->conf = now;
	d->offer = offer;
	host_use_log(now, d->log_secret, &offer->log);
	admin_add_findings(now, offer, text);
	watch_certificates_changed(d);
	supervise_reload(d);
	offer_end_listeners(old, offer);
	offer_free(&old);
	conf_drop(&before);
	buf_addf(text, "applied (generation %u)\n", d->generation);
}

/* The last that can fail.  What a failure left half done is set back as far as the system lets. */
static bool
admin_open_socket(const struct daemon *d, const struct conf *now, struct offer_refusal *out)
{
	char unused[REASON_BYTES];

	if (help_desk_open(d, d->conf, now, out->why))
		return true;
	out->status = EXIT_IO;
	(void)!help_desk_open(d, now, d->conf, unused);
	return false;
}

/* 0, or the exit status; the text says why. */
static int
admin_read_and_apply(struct daemon *d, struct buf *text)
{
	struct offer_refusal refusal = {.status = EXIT_CONFIG};
	struct conf_report report;
	struct offer *offer = NULL;
	struct conf *now;
	struct buf changes;

	buf_init(&changes, CHANGES_BYTES_MAX);
	conf_report_init(&report);
	now = conf_read_again(d->config_path, d->conf, &report);
	running_add_some(text, buf_str(&report.text), RUNNING_REPORT_BYTES);
	conf_report_clear(&report);
	if (now) {
		conf_write_changes(d->conf, now, &changes);
		if (login_name_is_ambiguous(now) && !login_name_is_ambiguous(d->conf))
			buf_addz(&changes, "warning: " LOGIN_NAME_AMBIGUOUS "\n");
		conf_hold(now, d->conf);
		offer = offer_new(now, d->offer, d->submission_count, &refusal);
	}
	if (offer && !admin_open_socket(d, now, &refusal))
		offer_free(&offer);
	if (offer) {
		running_add_some(text, buf_str(&changes), RUNNING_CHANGES_BYTES);
		buf_clear(&changes);
		admin_apply(d, now, offer, text);
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
admin_reopen_log(struct daemon *d)
{
	struct host_log log;

	if (host_open_log(d->conf, &log))
		host_use_log(d->conf, d->log_secret, &log);
	else
		log_error("log.target cannot be opened: %m");
}

/* Whoever asked by a signal sees no answer. */
static void
admin_notice(struct daemon *d, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line))
		if (line.n)
			notices_add(d, NOTICE_RELOAD, str_of(d->config_path), "%.*s",
			    STR_ARG(line));
}

int
admin_reload(struct daemon *d, struct buf *text)
{
	int status;

	notify_state("RELOADING=1");
	status = admin_read_and_apply(d, text);
	if (status) {
		admin_reopen_log(d);
		admin_notice(d, buf_str(text));
	}
	notify_state("READY=1");
	log_lines(status ? LOG_ERR : LOG_NOTICE, status ? "reload failed" : "reload ok",
	    buf_str(text));
	return status;
}

static void
done(struct channel *control, uint64_t call, uint8_t exit_code, struct str text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = text};

	(void)!channel_answer(control, call, MESSAGE_ADMIN_DONE, &m, -1);
}

/* Who asked for it; what came of it is the next line's. */
static void
log_asked(const struct message_admin *m)
{
	struct log_line l;

	admin_log_begin(&l, m);
	log_end(&l);
}

void
admin_hear(struct daemon *d, struct channel *control, uint64_t call, const struct message_admin *m)
{
	struct buf text;

	buf_init(&text, ADMIN_ANSWER_BYTES);
	if (str_eq(m->verb, STR("reload"))) {
		int status;

		log_asked(m);
		status = admin_reload(d, &text);
		done(control, call, (uint8_t)status, buf_str(&text));
	} else if (str_eq(m->verb, STR("main.status"))) {
		status_rows(d, control, call);
		done(control, call, 0, STR(""));
	} else if (str_eq(m->verb, STR("main.config"))) {
		int status = running_tell(d, control, call, &text);

		done(control, call, (uint8_t)status, buf_str(&text));
	} else if (str_eq(m->verb, STR("main.diff"))) {
		int status = running_compare(d, control, call, &text);

		done(control, call, (uint8_t)status, buf_str(&text));
	} else {
		done(control, call, EXIT_USAGE, STR("main does not know this command\n"));
	}
	buf_clear(&text);
}

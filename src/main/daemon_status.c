/*
 * daemon_status: see the header.  It sends no request to a role, so a role that hangs delays
 * nothing.
 */
#include "main/daemon_status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/instance.h"
#include "main/liveness.h"
#include "main/notices.h"
#include "main/resources_tls.h"
#include "main/watch_files.h"
#include "main/watch_spool.h"
#include "submission/client_counts.h"

enum { ROW_BYTES_MAX = 8192 + 4096, WHY_BYTES_MAX = 4096 };

/* All that is wrong with one certificate, the worst first. */
struct daemon_status_certificate {
	size_t index;
	struct buf why;
};

static const char *
daemon_status_state(const struct instance *i, const char *trouble)
{
	static const char *const names[] = {"down", "starting", "ready", "stopping"};

	if (liveness_is_overdue(i))
		return "not answering";
	if (i->kind == ROLE_SUBMISSION && i->state == INSTANCE_READY &&
	    i->daemon->conf->listen.count && !resources_has_certificate(i->daemon->resources))
		return "no certificate";
	return i->state == INSTANCE_READY && trouble[0] ? "failing" : names[i->state];
}

/* A moved spool has priority over its possible consequences. */
static const char *
daemon_status_trouble(const struct instance *i, char out[METRICS_TROUBLE_TEXT_BYTES])
{
	(void)instance_trouble(i, out);
	if (i->kind == ROLE_QUEUE && watch_spool_trouble(i->daemon)[0])
		snprintf(out, METRICS_TROUBLE_TEXT_BYTES, "%s", watch_spool_trouble(i->daemon));
	return out;
}

bool
daemon_status_is_ready(const struct instance *i)
{
	char trouble[METRICS_TROUBLE_TEXT_BYTES];

	return strcmp(daemon_status_state(i, daemon_status_trouble(i, trouble)), "ready") == 0;
}

static void
daemon_status_add_instance(const struct instance *i, struct buf *values)
{
	int pid = i->daemon->in_threads ? (int)getpid() : (int)i->pid;
	int64_t uptime_ms = clock_mono_ms() - i->started_ms;
	char work[METRICS_TEXT_BYTES], trouble[METRICS_TROUBLE_TEXT_BYTES];

	(void)daemon_status_trouble(i, trouble);
	message_values_add(values, "row", STR("process"));
	message_values_add(values, "role", str_of(role_name(i->kind)));
	message_values_add_signed(values, "index", i->index);
	message_values_add(values, "state", str_of(daemon_status_state(i, trouble)));
	message_values_add_signed(values, "pid", pid);
	message_values_add_signed(values, "restarts", i->restarts);
	message_values_add_signed(
	    values, "uptime_s", i->state == INSTANCE_DOWN ? 0 : uptime_ms / 1000);
	message_values_add_signed(values, "silent_s",
	    i->state == INSTANCE_DOWN ? 0 : liveness_silent_ms(i) / 1000);
	message_values_add_signed(
	    values, "disk_s", (int64_t)(metrics_read_disk_ms(i->region) / 1000));
	metrics_read_work(i->region, work);
	message_values_add(values, "work", str_of(trouble[0] ? trouble : work));
}

/* ---- certificates ---- */

static void
daemon_status_add_names(struct str names, struct buf *values)
{
	struct str name;

	while (str_split(&names, ' ', &name))
		message_values_add(values, "names", name);
}

static void
daemon_status_note_finding(const struct tls_files_finding *finding, void *arg)
{
	struct daemon_status_certificate *s = arg;

	if (finding->index == s->index)
		buf_addf(&s->why, "%s%s", s->why.n ? "; " : "", finding->text);
}

static void
daemon_status_add_certificate(const struct daemon *d, size_t index, struct buf *values)
{
	const struct tls_files_pair *p = &d->resources->tls->pair[index];
	struct daemon_status_certificate all = {.index = index};
	struct watch_files_refusal refused;
	bool is_refused = watch_files_is_refused(d, index, &refused);
	int64_t now_s = clock_ms() / 1000;
	char day[CERTIFICATE_DAY_BYTES], since[CLOCK_TEXT_BYTES];

	message_values_add(values, "row", STR("certificate"));
	message_values_add(values, "certificate", d->conf->tls.item[index].certificate);
	if (tls_files_pair_is_usable(p)) {
		message_values_add(values, "state",
		    is_refused ? STR("files not usable")
			       : str_of(certificate_state_name(
				     certificate_state(&p->facts, now_s))));
		message_values_add(
		    values, "not_after", str_of(certificate_day(p->facts.until_s, day)));
		message_values_add_signed(
		    values, "days_left", certificate_days_left(&p->facts, now_s));
		daemon_status_add_names(str_of(p->facts.names), values);
	} else {
		message_values_add(values, "state", STR("not usable"));
	}
	buf_init(&all.why, WHY_BYTES_MAX);
	if (is_refused)
		buf_addf(&all.why, "the former ones are served since %s: %s",
		    clock_iso(refused.since_ms, since), refused.why);
	tls_files_each_finding(d->conf, d->resources->tls, now_s, daemon_status_note_finding, &all);
	message_values_add(values, "why", buf_str(&all.why));
	buf_clear(&all.why);
}

/* ---- rows ---- */

static void
daemon_status_add_daemon(const struct daemon *d, struct buf *values)
{
	char loaded[CLOCK_TEXT_BYTES], warning[1024];
	int64_t age_ms = clock_ms() - d->loaded_ms;

	message_values_add(values, "row", STR("daemon"));
	message_values_add(values, "version", STR(PACKAGE_VERSION));
	message_values_add_signed(values, "uptime_s", (clock_mono_ms() - d->started_ms) / 1000);
	message_values_add_signed(values, "sessions", (int64_t)client_counts_total(d->clients_fd));
	message_values_add_signed(values, "generation", d->generation);
	message_values_add(values, "config_loaded", str_of(clock_iso(d->loaded_ms, loaded)));
	message_values_add_signed(values, "config_age_s", age_ms > 0 ? age_ms / 1000 : 0);
	if (d->conf->help_desk_group.n && !d->conf->has_help_desk) {
		snprintf(warning, sizeof warning,
		    "help_desk_group: no group \"%.*s\" was found: its members may do nothing "
		    "before a reload that finds it", STR_ARG(d->conf->help_desk_group));
		message_values_add(values, "warning", str_of(warning));
	}
}

static void
daemon_status_send_row(struct channel *control, uint64_t call, struct buf *values)
{
	struct message_admin_row row = {.values = buf_str(values)};

	(void)!channel_answer(control, call, MESSAGE_ADMIN_ROW, &row, -1);
	buf_clear(values);
}

void
daemon_status_send_rows(struct daemon *d, struct channel *control, uint64_t call)
{
	struct buf values;

	buf_init(&values, ROW_BYTES_MAX);
	daemon_status_add_daemon(d, &values);
	daemon_status_send_row(control, call, &values);
	buf_init(&values, ROW_BYTES_MAX);
	if (notices_status(d, &values))
		daemon_status_send_row(control, call, &values);
	buf_clear(&values);
	for (unsigned n = 0; n < d->instance_count; n++) {
		buf_init(&values, ROW_BYTES_MAX);
		daemon_status_add_instance(&d->instances[n], &values);
		daemon_status_send_row(control, call, &values);
	}
	for (size_t i = 0; i < d->resources->tls->count; i++) {
		buf_init(&values, ROW_BYTES_MAX);
		daemon_status_add_certificate(d, i, &values);
		daemon_status_send_row(control, call, &values);
	}
}

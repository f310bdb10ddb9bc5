/*
 * config_commands: checks a configuration, without the daemon; reload and status, by the daemon.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/disk_space.h"
#include "conf/descriptors.h"
#include "conf/read.h"
#include "ipc/message.h"
#include "main/os.h"
#include "main/resources_system.h"
#include "main/start_check.h"
#include "main/systemd_unit.h"
#include "main/tls_files.h"
#include "tool/print.h"
#include "tool/running_daemon.h"
#include "tool/tool.h"

enum { MIB = 1 << 20 };

struct conf *
tool_conf(const struct tool *t)
{
	struct conf_report report;
	struct conf *c;

	conf_report_init(&report);
	c = conf_read_file(t->config_path, CONF_SECRETS_LEAVE, &report);
	if (!c)
		tool_print_text(EX_CONFIG, buf_str(&report.text));
	conf_report_clear(&report);
	return c;
}

/* The line of the first error. */
static struct str
tool_first_error(struct str report)
{
	static const char mark[] = ": error: ";
	struct str line;

	while (str_split(&report, '\n', &line))
		if (line.n && memmem(line.p, line.n, mark, sizeof mark - 1))
			return line;
	return STR_NULL;
}

/* True if this user may not read the file: members of help_desk_group may use the daemon, but need
 * not read root's configuration. */
static bool
tool_conf_is_hidden(const struct tool *t)
{
	return !t->is_config_given && access(t->config_path, R_OK) != 0 && errno == EACCES;
}

/* Finds a daemon with another run_directory: a new value applies only after a restart. */
static void
tool_find_daemon(const struct tool *t)
{
	struct running_daemon p;

	if (t->run_directory || tool_daemon_runs(t->conf) ||
	    !running_daemon_find(t->config_path, &p) || !p.run_directory[0])
		return;
	fprintf(stderr,
	    "sallyport: the running daemon (process %d) was started with run_directory = \"%s\", "
	    "which is not that of %s: asking there\n", (int)p.pid, p.run_directory, t->config_path);
	t->conf->run_directory = arena_str(&t->conf->arena, str_of(p.run_directory));
}

const struct conf *
tool_conf_to_ask(struct tool *t)
{
	struct conf_report report;

	if (t->conf)
		return t->conf;
	conf_report_init(&report);
	t->conf = conf_read_file(t->config_path, CONF_SECRETS_LEAVE, &report);
	t->is_config_hidden = !t->conf && tool_conf_is_hidden(t);
	if (!t->conf)
		t->conf = conf_read_run_directory(t->config_path);
	if (t->run_directory)
		t->conf->run_directory = str_of(t->run_directory);
	tool_find_daemon(t);
	if (report.errors && !t->is_config_hidden)
		fprintf(stderr,
		    "%.*s; asking the daemon in %.*s, which goes on with the configuration that it "
		    "has\n",
		    STR_ARG(tool_first_error(buf_str(&report.text))),
		    STR_ARG(t->conf->run_directory));
	conf_report_clear(&report);
	return t->conf;
}

/* Checks that the file system is large enough for a spool.  A directory that does not exist yet is
 * passed over. */
static void
tool_check_disk(const char *file, const struct conf *c, struct conf_report *report)
{
	char path[4096];
	struct statvfs fs;
	uint64_t all, usable;

	snprintf(path, sizeof path, "%.*s", STR_ARG(c->queue.directory));
	if (statvfs(path, &fs) != 0)
		return;
	all = (uint64_t)fs.f_blocks * fs.f_frsize;
	usable = disk_space_usable_bytes(all, (unsigned)c->queue.minimum_free);
	if (usable < CONF_SPOOL_BYTES_MIN) {
		buf_addf(&report->text,
		    "%s: error: queue.directory: the file system of %s has %llu MiB, of which "
		    "queue.minimum_free leaves %llu MiB; a spool needs at least %u MiB\n",
		    file, path, (unsigned long long)(all / MIB), (unsigned long long)(usable / MIB),
		    CONF_SPOOL_BYTES_MIN / MIB);
		report->errors++;
	} else if (usable / 4 < (uint64_t)c->limits.message_size) {
		buf_addf(&report->text,
		    "%s: warning: queue.directory: the file system of %s has %llu MiB, of which "
		    "queue.minimum_free leaves %llu MiB: not four messages of "
		    "limits.message_size (%lld MiB) fit\n",
		    file, path, (unsigned long long)(all / MIB), (unsigned long long)(usable / MIB),
		    (long long)(c->limits.message_size / MIB));
		report->warnings++;
	}
}

/* Checks that there is room for another segment of the spool.  Whether mail is refused without it
 * depends on the free space in existing segments, which only the daemon knows. */
static void
tool_check_segment_space(const char *file, const struct conf *c, struct conf_report *report)
{
	char path[4096];
	char text[DISK_SPACE_TEXT_BYTES];
	unsigned percent = (unsigned)c->queue.minimum_free;
	struct statvfs fs;
	struct disk_space s = {0};

	snprintf(path, sizeof path, "%.*s", STR_ARG(c->queue.directory));
	if (statvfs(path, &fs) != 0 || fs.f_blocks == 0)
		return;
	s.all_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	s.free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	s.share_bytes = disk_space_share_bytes(s.all_bytes, percent);
	s.segment_bytes = disk_space_segment_bytes(s.all_bytes, percent);
	if (disk_space_has_segment(&s))
		return;
	buf_addf(&report->text,
	    "%s: warning: queue.directory: of the file system of %s %s: no segment is added to the "
	    "spool until there is more; `sallyport status` shows whether mail is refused\n",
	    file, path, disk_space_format(&s, text));
	report->warnings++;
}

/* Uses the limit of the tool itself; the daemon's unit may set another one. */
static void
tool_check_descriptors(const char *file, const struct conf *c, struct conf_report *report)
{
	char head[4096];

	snprintf(head, sizeof head, "%s: warning: ", file);
	report->warnings += conf_descriptors_check(c, head, &report->text);
}

/* Prints "FILE:LINE: error: TEXT", or the same without a line, as an object. */
static void
print_finding(struct str line, bool is_error)
{
	struct str mark = is_error ? STR(": error: ") : STR(": warning: ");
	const char *at = memmem(line.p, line.n, mark.p, mark.n);
	struct str place, number;
	struct buf values;
	uint64_t n;
	size_t colon;

	if (!at)
		return;
	place = str_upto(line, (size_t)(at - line.p));
	colon = str_rfind(place, ':');
	number = colon < place.n ? str_from(place, colon + 1) : STR_NULL;
	buf_init(&values, TOOL_VALUES_MAX);
	message_values_add(&values, "row", STR("finding"));
	message_values_add(&values, "kind", is_error ? STR("error") : STR("warning"));
	if (number.n && str_u64(number, &n)) {
		message_values_add(&values, "file", str_upto(place, colon));
		message_values_add(&values, "line", number);
	} else {
		message_values_add(&values, "file", place);
	}
	message_values_add(&values, "text", str_from(line, place.n + mark.n));
	print_json(buf_str(&values));
	buf_clear(&values);
}

static void
print_check_json(const char *path, const struct conf_report *report)
{
	struct str rest = buf_str(&report->text), line;
	struct buf values;

	while (str_split(&rest, '\n', &line)) {
		struct str error = STR(": error: "), warning = STR(": warning: ");
		const char *e = memmem(line.p, line.n, error.p, error.n);
		const char *w = memmem(line.p, line.n, warning.p, warning.n);

		/* the first one is the mark; the other may be part of the text */
		print_finding(line, e && (!w || e < w));
	}
	buf_init(&values, TOOL_VALUES_MAX);
	message_values_add(&values, "row", STR("total"));
	message_values_add(&values, "path", str_of(path));
	message_values_add_number(&values, "errors", report->errors);
	message_values_add_number(&values, "warnings", report->warnings);
	print_json(buf_str(&values));
	buf_clear(&values);
}

/* True if a daemon runs in the run directory of that file, or in that of the option. */
static bool
tool_has_daemon(const struct tool *t, const char *path)
{
	struct conf *c = conf_read_run_directory(path);
	bool is_running;

	if (t->run_directory)
		c->run_directory = str_of(t->run_directory);
	is_running = tool_daemon_runs(c);
	conf_drop(&c);
	return is_running;
}

static void
print_check(const char *path, const struct conf_report *report, const struct tool *t)
{
	const char *unchanged = "";

	if (report->errors && tool_has_daemon(t, path))
		unchanged = " The running configuration is unchanged.";
	tool_print_text(0, buf_str(&report->text));
	if (!t->quiet)
		printf("%s: %u error%s, %u warning%s.%s\n", path, report->errors,
		    report->errors == 1 ? "" : "s", report->warnings,
		    report->warnings == 1 ? "" : "s",
		    unchanged);
}

int
tool_config_check(struct tool *t, const struct operator_command *command)
{
	const char *path = t->arg_count ? t->args[0] : t->config_path;
	struct conf_report report;
	struct conf *c;
	int status;

	(void)command;
	conf_report_init(&report);
	c = conf_read_file(path, CONF_SECRETS_READ_HERE, &report);
	if (c) {
		tool_check_disk(path, c, &report);
		tool_check_segment_space(path, c, &report);
		tool_check_descriptors(path, c, &report);
		os_report_log(path, c, &report);
		resources_system_report(path, c, &report);
		tls_files_report(c, &report);
		start_check_report(path, c, &report);
		systemd_unit_check("", path, c, &report);
		tool_check_accounts(path, c, &report);
	}
	if (t->json)
		print_check_json(path, &report);
	else
		print_check(path, &report, t);
	status = report.errors == 0 ? 0 : EX_CONFIG;
	conf_report_clear(&report);
	conf_drop(&c);
	return status;
}

int
tool_reload(struct tool *t, const struct operator_command *command)
{
	int status = tool_ask_running(t, command->verb, NULL, NULL);

	if (status == 0)
		tool_warn_of_accounts(t);
	return status;
}

struct tool_status_count {
	struct print_table print;
	struct print_table certificates;
	unsigned not_ready;              /* processes */
	bool relay_answers;
	unsigned not_accepted;           /* certificates */
};

/* The rows of certificates follow those of the processes. */
static void
tool_status_certificate(struct str values, struct tool_status_count *c)
{
	struct str state = message_values_get(values, "state");

	c->not_accepted += !str_eq(state, STR("ok")) && !str_eq(state, STR("expires soon"));
	if (c->certificates.rows == 0 && !c->print.tool->json && !c->print.tool->quiet)
		putchar('\n');
	print_row(values, &c->certificates);
}

/* Prints an age as "3d 4h", the two largest units. */
static void
print_age(const char *before, struct str seconds, const char *behind)
{
	static const struct {
		uint64_t s;
		char name;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	uint64_t s = 0;
	size_t i = 0;

	if (!str_u64(seconds, &s))
		s = 0;
	while (i < 3 && s < units[i].s)
		i++;
	printf("%s%llu%c", before, (unsigned long long)(s / units[i].s), units[i].name);
	if (i < 3)
		printf(" %llu%c", (unsigned long long)(s % units[i].s / units[i + 1].s),
		    units[i + 1].name);
	fputs(behind, stdout);
}

static void
print_daemon(struct str values)
{
	struct str sessions = message_values_get(values, "sessions");
	struct str warning = message_values_get(values, "warning");

	printf("sallyport %.*s", STR_ARG(message_values_get(values, "version")));
	print_age(", up ", message_values_get(values, "uptime_s"), ", ");
	printf("%.*s session%s, configuration %.*s", STR_ARG(sessions),
	    str_eq(sessions, STR("1")) ? "" : "s",
	    STR_ARG(message_values_get(values, "generation")));
	print_age(", in force for ", message_values_get(values, "config_age_s"), "\n");
	if (warning.n) {
		fputs("warning: ", stdout);
		(void)print_text(warning);
		putchar('\n');
	}
	putchar('\n');
}

/* Prints the notices of the last day; there is no such row if notices are disabled. */
static void
print_notices(struct str values)
{
	struct str last = message_values_get(values, "last");

	printf("notices to the postmaster: %.*s pending, %.*s sent in 24 hours",
	    STR_ARG(message_values_get(values, "pending")),
	    STR_ARG(message_values_get(values, "sent")));
	if (last.n) {
		printf(", the last one at %.*s: %.*s ", STR_ARG(last),
		    STR_ARG(message_values_get(values, "kind")));
		(void)print_text(message_values_get(values, "object"));
	}
	fputs("\n\n", stdout);
}

/* Prints a row about the daemon as a whole; false: it is another row. */
static bool
tool_status_is_daemon(struct str values, const struct tool *t)
{
	struct str row = message_values_get(values, "row");
	bool is_notices = str_eq(row, STR("notices"));

	if (!is_notices && !str_eq(row, STR("daemon")))
		return false;
	if (t->json)
		print_json(values);
	else if (!t->quiet && is_notices)
		print_notices(values);
	else if (!t->quiet)
		print_daemon(values);
	return true;
}

static void
tool_status_row(struct str values, void *arg)
{
	struct tool_status_count *c = arg;
	struct str state = message_values_get(values, "state");
	bool is_ready = str_eq(state, STR("ready"));

	if (message_values_get(values, "certificate").n) {
		tool_status_certificate(values, c);
		return;
	}
	if (tool_status_is_daemon(values, c->print.tool))
		return;
	c->not_ready += !is_ready;
	if (str_eq(message_values_get(values, "role"), STR("relay")))
		c->relay_answers = is_ready || str_eq(state, STR("failing"));
	print_row(values, &c->print);
}

struct tool_dns_count {
	struct print_table print;
	unsigned count, silent; /* resolvers */
};

static void
tool_status_resolver(struct str values, void *arg)
{
	struct tool_dns_count *c = arg;

	c->count++;
	c->silent += str_starts(message_values_get(values, "answers"), STR("no since"));
	print_row(values, &c->print);
}

/* Prints the resolvers, as relay reports them; a relay that does not run is in the table of
 * processes.  If none of them answers, most mail cannot be delivered. */
static int
tool_status_dns(struct tool *t)
{
	struct tool_dns_count table = {
	    .print = {.tool = t, .command = "status", .row = "resolver"}};
	int status = tool_ask_running(t, "dns.status", tool_status_resolver, &table);

	if (!t->json && !t->quiet)
		putchar('\n');
	fflush(stdout);
	if (status)
		return status;
	return table.count && table.silent == table.count ? EX_UNAVAILABLE : 0;
}

int
tool_status(struct tool *t, const struct operator_command *command)
{
	struct tool_status_count table = {
	    .print = {.tool = t, .command = command->words, .row = "process"},
	    .certificates = {.tool = t, .command = command->words, .row = "certificate"}};
	struct print_table queue = {.tool = t};
	int status = tool_ask_running(t, command->verb, tool_status_row, &table), of_dns = 0;

	if (status)
		return status;
	if (!t->json && !t->quiet)
		putchar('\n');
	/* with a pipe, the output so far comes before errors of the next request */
	fflush(stdout);
	if (table.relay_answers)
		of_dns = tool_status_dns(t);
	status = tool_ask_running(t, "queue.status", print_record, &queue);
	if (status == 0)
		status = of_dns;
	return status ? status : table.not_ready || table.not_accepted ? EX_UNAVAILABLE : 0;
}

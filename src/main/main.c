/*
 * main: sallyportd.  Reads the options, checks the configuration, opens what the roles use, and
 * supervises them.  Each role is this same program, started with --role.
 */
#include "main/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/thread.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "conf/descriptors.h"
#include "conf/read.h"
#include "main/daemon_admin.h"
#include "main/grants.h"
#include "main/logger.h"
#include "main/notices.h"
#include "main/os.h"
#include "main/own_rights.h"
#include "main/resources_system.h"
#include "main/spawn.h"
#include "main/start_check.h"
#include "main/stopping.h"
#include "main/supervise.h"
#include "main/systemd_unit.h"
#include "main/tls_files.h"
#include "main/watch_files.h"
#include "main/watch_spool.h"

#ifdef SANITIZERS
/* In its sandbox a role cannot be stopped and searched for leaks; with -d, ASAN_OPTIONS can enable
 * it. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

enum { FINDINGS_BYTES_MAX = 1 << 20 };

/* epoll, a timer, two pairs for signals and for other threads, and some more. */
enum { LOOP_DESCRIPTORS = 8 };

static const char usage[] =
    "usage: sallyportd [-c FILE] [-dft] [--accept-damage]\n"
    "  -c FILE  configuration (default /etc/sallyport/sallyport.cfg)\n"
    "  -t       check the configuration and exit: 0, or 78\n"
    "  -f       stay in the foreground (always; for habit's sake)\n"
    "  --accept-damage\n"
    "           set aside, this once, what cannot be read of the spool, and deliver the rest\n"
    "  -d       debug: all roles as threads of one process, without sandbox\n"
    "  -V       version (--version)\n"
    "  -h       this text (--help)\n";

struct daemon_options {
	const char *config;
	bool checks_only;
	bool in_threads;
	bool accepts_damage;
};

/* Returns -1: continue; else the exit status. */
static int
read_daemon_options(int argc, char **argv, struct daemon_options *o)
{
	static const struct option words[] = {
	    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'},
	    {"accept-damage", no_argument, NULL, 'A'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "c:dftVh", words, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'd':
			o->in_threads = true;
			break;
		case 'A':
			o->accepts_damage = true;
			break;
		case 'f':
			break;
		case 't':
			o->checks_only = true;
			break;
		case 'V':
			printf("sallyportd %s\n", PACKAGE_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static void
check_start_conditions(const char *file, const struct conf *c, struct conf_report *report)
{
	os_report_log(file, c, report);
	resources_system_report(file, c, report);
	tls_files_report(c, report);
	start_check_report(file, c, report);
	systemd_unit_check("", file, c, report);
}

/* What it reports is in findings too, for the log, which is opened later. */
static struct conf *
read_daemon_config(const struct daemon_options *o, struct buf *findings)
{
	struct conf_report report;
	struct conf *c;

	conf_report_init(&report);
	c = conf_read_file(
	    o->config, o->checks_only ? CONF_SECRETS_READ_HERE : CONF_SECRETS_READ, &report);
	if (c && o->checks_only)
		check_start_conditions(o->config, c, &report);
	buf_adds(findings, buf_str(&report.text));
	if (report.text.n)
		fwrite(report.text.p, 1, report.text.n, stderr);
	if (o->checks_only || !c)
		fprintf(stderr, "%s: %u error%s, %u warning%s\n", o->config, report.errors,
		    report.errors == 1 ? "" : "s", report.warnings,
		    report.warnings == 1 ? "" : "s");
	if (report.errors)
		conf_drop(&c);
	conf_report_clear(&report);
	return c;
}

static void
daemon_signal_received(evutil_socket_t number, short what, void *arg)
{
	struct daemon *d = arg;
	struct buf text;

	(void)what;
	switch ((int)number) {
	case SIGHUP:
		buf_init(&text, DAEMON_ADMIN_ANSWER_BYTES);
		(void)daemon_admin_reload(d, &text);
		buf_clear(&text);
		return;
	case SIGCHLD:
		supervise_reap(d);
		return;
	default:
		stopping_begin(d);
	}
}

/* False with errno. */
static bool
add_daemon_signals(struct daemon *d)
{
	static const int numbers[] = {SIGHUP, SIGTERM, SIGINT, SIGCHLD};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		d->signals[i] = evsignal_new(d->base, numbers[i], daemon_signal_received, d);
		if (!d->signals[i] || evsignal_add(d->signals[i], NULL) != 0)
			return false;
	}
	return true;
}

static unsigned
count_submissions(const struct conf *c, bool in_threads)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	long wanted = c->submission.processes ? c->submission.processes : in_threads ? 1 : cores;

	return wanted < 1 ? 1 : wanted > SUBMISSION_MAX ? SUBMISSION_MAX : (unsigned)wanted;
}

static void
warn_of_limits(const struct conf *c)
{
	struct str rest, line;
	struct buf text;

	buf_init(&text, 4096);
	conf_descriptors_check(c, "", &text);
	for (rest = buf_str(&text); str_split(&rest, '\n', &line);)
		if (line.n)
			log_warn("%.*s", STR_ARG(line));
	buf_clear(&text);
}

static void
report_lack(const char *text, void *arg)
{
	*(int *)arg = daemon_report_failure(EXIT_NOT_ALLOWED, "%s", text);
}

static int
prepare_daemon(struct daemon *d, struct str findings)
{
	int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct os_log log;
	int status;

	/* not the number of the child's channel */
	d->exe_fd = exe < 0 ? -1 : fcntl(exe, F_DUPFD_CLOEXEC, SPAWN_CHANNEL_FD + 1);
	if (d->exe_fd < 0)
		return daemon_report_failure(EXIT_OS, "/proc/self/exe: %s", error_text(errno));
	if (getrandom(&d->log_secret, sizeof d->log_secret, 0) < 0)
		die("no random bytes");
	close(exe);
	(void)!os_open_log(d->conf, &log);
	os_use_log(d->conf, d->log_secret, &log);
	/* on standard error they are already */
	if (d->conf->log.target != CONF_LOG_STDERR)
		daemon_admin_log_warnings(findings);
	os_raise_limits();
	warn_of_limits(d->conf);
	status = os_check_channels();
	if (status)
		return status;
	if (!os_role_users(d->conf, d->identities))
		return EXIT_CONFIG;
	if (own_rights_each_lack(d->conf, report_lack, &status))
		return status;
	/* with a random first slot, and ids above the spool's newest, a quick restart repeats no
	 * id */
	instance_slots_init(&d->slots, (unsigned)(d->log_secret % ID_SLOTS));
	d->submission_count = count_submissions(d->conf, d->in_threads);
	/* before they are opened, so that a change during the open is noticed */
	watch_files_note_initial(d);
	status = grants_open(d);
	return status;
}

static void
free_daemon_loop(struct daemon *d)
{
	for (size_t i = 0; i < sizeof d->signals / sizeof *d->signals; i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	if (d->base)
		event_base_free(d->base);
}

/* libevent ends the process where it lacks one of them: they are tried before.  False with
 * errno. */
static bool
has_loop_descriptors(int from)
{
	int fds[LOOP_DESCRIPTORS], n = 0, saved_errno;

	while (n < LOOP_DESCRIPTORS && (fds[n] = fcntl(from, F_DUPFD_CLOEXEC, 0)) >= 0)
		n++;
	saved_errno = errno;
	for (int i = 0; i < n; i++)
		close(fds[i]);
	errno = saved_errno;
	return n == LOOP_DESCRIPTORS;
}

/* 0, or the exit status: what is lacking is a limit of the machine or of this process. */
static int
make_daemon_loop(struct daemon *d)
{
	d->base = has_loop_descriptors(d->exe_fd) ? event_base_new() : NULL;
	if (!d->base || !add_daemon_signals(d))
		return daemon_report_failure(EXIT_OS, "no event loop: %s", error_text(errno));
	if (!d->in_threads && !(d->logger = logger_new()))
		return daemon_report_failure(
		    EXIT_OS, "no thread for the log: %s", error_text(errno));
	return 0;
}

static void
run_daemon(struct daemon *d)
{
	d->exit_status = make_daemon_loop(d);
	if (d->exit_status) {
		free_daemon_loop(d);
		return;
	}
	notices_start(d);
	supervise_start(d);
	watch_files_start(d);
	watch_spool_start(d);
	event_base_dispatch(d->base);
	watch_spool_stop(d);
	watch_files_stop(d);
	notices_stop(d);
	supervise_end(d);
	logger_free(&d->logger);
	/* after all lines of the roles: a log without this line is of a daemon that was killed */
	if (d->ended_early)
		log_warn("stopped: %u processes were ended before they had finished",
		    d->ended_early);
	else
		log_info("stopped");
	free_daemon_loop(d);
}

int
main(int argc, char **argv)
{
	struct daemon_options o = {.config = "/etc/sallyport/sallyport.cfg"};
	struct daemon d = {.stage = -1, .floor_ms = -1};
	struct buf findings;
	int status;

	if (argc == 4 && strcmp(argv[1], "--role") == 0)
		return spawn_role_main(argv[2], argv[3]);
	status = read_daemon_options(argc, argv, &o);
	if (status >= 0)
		return status;
	umask(077);
	os_fill_standard_descriptors();
	d.config_path = o.config;
	d.in_threads = o.in_threads;
	d.accepts_damage = o.accepts_damage;
	buf_init(&findings, FINDINGS_BYTES_MAX);
	d.conf = read_daemon_config(&o, &findings);
	if (!d.conf || o.checks_only) {
		status = d.conf ? 0 : EXIT_CONFIG;
		conf_drop(&d.conf);
		buf_clear(&findings);
		return status;
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	clock_prepare();
	map_prepare();
	d.started_ms = clock_mono_ms();
	d.loaded_ms = clock_ms();
	if (d.in_threads) {
		evthread_use_pthreads();
		tls_files_use_no_child();
	}
	status = prepare_daemon(&d, buf_str(&findings));
	buf_clear(&findings);
	if (status == 0) {
		run_daemon(&d);
		grants_close(&d);
		status = d.exit_status;
	}
	conf_drop(&d.conf);
	return status;
}

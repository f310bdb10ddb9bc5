/* os: the users of the roles, and the log target. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "main/os.h"
#include "rig.h"

static struct rig r;

static void
os_set_up(void)
{
	rig_set_up(&r);
	rig_configure(&r, "");
}

static void
os_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(os, .init = os_set_up, .fini = os_tear_down);

Test(os, unsuitable_users_are_refused)
{
	static const struct {
		const char *user;
		bool good;
	} rows[] = {{"daemon", true}, {"nobody", false}, {"root", false},
	    {"no-such-user-here", false}, {"", false}};
	struct os_user users[ROLE_KINDS];

	if (getuid() != 0)
		cr_skip_test("only root becomes somebody else");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool has_default = rows[i].user[0] == 0 && getpwnam("sallyport");

		r.d.conf->user = str_of(rows[i].user);
		cr_expect_eq(os_role_users(r.d.conf, users), rows[i].good || has_default, "%s",
		    rows[i].user);
	}
	r.d.conf->user = STR("daemon");
	cr_assert(os_role_users(r.d.conf, users));
	cr_expect_eq(users[ROLE_QUEUE].uid, getpwnam("daemon")->pw_uid);
	cr_expect_str_eq(users[ROLE_QUEUE].name, "daemon");
	cr_expect_eq(users[ROLE_WORKER].uid, users[ROLE_AUTH].uid);
	cr_expect_eq(users[ROLE_ACCOUNTS].uid, users[ROLE_AUTH].uid);
}

Test(os, a_log_that_cannot_be_opened_is_reported)
{
	struct os_log log;

	r.d.conf->log.target = CONF_LOG_FILE;
	r.d.conf->log.file = STR("/nonexistent/log");
	cr_expect(!os_open_log(r.d.conf, &log));
	cr_expect_eq(log.fd, -1);
	r.d.conf->log.target = CONF_LOG_STDERR;
	cr_expect(os_open_log(r.d.conf, &log));
	cr_expect_eq(log.fd, 2);
}

/* A pipe without a reader would block the caller for ever; a pipe with a reader, when it is
 * full. */
Test(os, a_log_that_is_not_a_regular_file_is_refused, .timeout = 20)
{
	struct conf_report report;
	struct os_log log;
	char path[100];
	int reader;

	snprintf(path, sizeof path, "%s/pipe", r.directory);
	cr_assert_eq(mkfifo(path, 0600), 0);
	r.d.conf->log.target = CONF_LOG_FILE;
	r.d.conf->log.file = str_of(path);
	cr_expect(!os_open_log(r.d.conf, &log));
	cr_expect_eq(log.error, EMEDIUMTYPE);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_expect(!os_open_log(r.d.conf, &log));
	cr_expect_eq(log.error, EMEDIUMTYPE);
	close(reader);
	conf_report_init(&report);
	os_report_log("a.cfg", r.d.conf, &report);
	cr_expect_eq(report.errors, 1);
	cr_expect(str_iends(buf_str(&report.text), STR("/pipe: It is not a regular file\n")),
	    "%.*s", STR_ARG(buf_str(&report.text)));
	conf_report_clear(&report);
	r.d.conf->log.file = STR("/dev/full");
	cr_expect(!os_open_log(r.d.conf, &log));
	cr_expect_eq(log.error, EMEDIUMTYPE);
	r.d.conf->log.file = STR("/dev/null");
	cr_expect(os_open_log(r.d.conf, &log));
	close(log.fd);
}

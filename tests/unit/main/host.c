/* host: whom the roles become, and where the log goes. */
#include <criterion/criterion.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "main/host.h"
#include "rig.h"

static struct rig r;

static void
host_set_up(void)
{
	rig_set_up(&r);
	rig_configure(&r, "");
}

static void
host_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(host, .init = host_set_up, .fini = host_tear_down);

Test(host, users)
{
	static const struct {
		const char *user;
		bool good;
	} rows[] = {{"daemon", true}, {"nobody", false}, {"root", false}, {"no-such-user-here", false}, {"", false}};
	struct identity who[ROLE_KINDS];

	if (getuid() != 0)
		cr_skip_test("only root becomes somebody else");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool has_default = rows[i].user[0] == 0 && getpwnam("sallyport");

		r.d.conf->user = str_of(rows[i].user);
		cr_expect_eq(host_identities(r.d.conf, who), rows[i].good || has_default, "%s", rows[i].user);
	}
	r.d.conf->user = STR("daemon");
	cr_assert(host_identities(r.d.conf, who));
	cr_expect_eq(who[ROLE_QUEUE].uid, getpwnam("daemon")->pw_uid);
	cr_expect_str_eq(who[ROLE_QUEUE].name, "daemon");
	cr_expect_eq(who[ROLE_WORKER].uid, who[ROLE_AUTH].uid);
}

Test(host, log_that_cannot_be_opened)
{
	struct host_log log;

	r.d.conf->log.target = CONF_LOG_FILE;
	r.d.conf->log.file = STR("/nonexistent/log");
	cr_expect(!host_open_log(r.d.conf, &log));
	cr_expect_eq(log.fd, -1);
	r.d.conf->log.target = CONF_LOG_STDERR;
	cr_expect(host_open_log(r.d.conf, &log));
	cr_expect_eq(log.fd, 2);
}

/* unix_group: help_desk_group is looked up when a file is read; the error of an unusable group has
 * a location. */
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conf/read.h"
#include "support.h"

/* The system's list of groups, or an error of it. */
static int fault;
static unsigned asked;

int
getgrnam_r(const char *name, struct group *entry, char *room, size_t n, struct group **found)
{
	union {
		void *p;
		int (*fn)(const char *, struct group *, char *, size_t, struct group **);
	} system = {dlsym(RTLD_NEXT, "getgrnam_r")};

	asked++;
	*found = NULL;
	return fault ? fault : system.fn(name, entry, room, n, found);
}

static struct conf *
read_with(const char *group, struct conf_report *r)
{
	char text[1000];

	conf_report_init(r);
	snprintf(text, sizeof text, MINIMAL "help_desk_group = \"%s\";\n", group);
	return read_as_file(text, r);
}

static void
is_error(const char *group, const char *expected)
{
	struct conf_report r;
	struct conf *c = read_with(group, &r);

	cr_expect_null(c);
	cr_expect_eq(r.errors, 1);
	buf_addc(&r.text, 0);
	cr_expect(
	    str_starts(buf_str(&r.text), STR("t.cfg:2: error: help_desk_group: ")), "%s", r.text.p);
	cr_expect(strstr(r.text.p, expected), "%s", r.text.p);
	conf_report_clear(&r);
	conf_drop(&c);
}

/* A start continues without the group. */
static void
is_missed(const char *group)
{
	struct conf_report r;
	struct conf *c = read_with(group, &r);

	cr_assert(c);
	cr_expect(!c->has_help_desk);
	cr_expect_eq(r.errors, 0);
	cr_expect_eq(r.warnings, 1);
	buf_addc(&r.text, 0);
	cr_expect(strstr(r.text.p, "t.cfg:2: warning: help_desk_group: no group \"") &&
	              strstr(r.text.p, "\" is found: its members may do nothing before a reload "
	                               "that finds it: groupadd"),
	    "%s", r.text.p);
	conf_report_clear(&r);
	conf_drop(&c);
}

/* Only this thread: the case is a process of its own. */
static void
become(uid_t uid, gid_t gid, size_t n, const gid_t *groups)
{
	cr_assert_eq(syscall(SYS_setgroups, n, groups), 0);
	cr_assert_eq(syscall(SYS_setresgid, gid, gid, gid), 0);
	cr_assert_eq(syscall(SYS_setresuid, uid, uid, uid), 0);
}

Test(group, its_id_is_found)
{
	const struct group *mail = getgrnam("mail");
	struct conf_report r;
	struct conf *c;

	cr_assert(mail);
	if (geteuid() != 0)
		cr_skip_test("needs root to be in any group");
	c = read_with("mail", &r);
	cr_assert(c);
	cr_expect(c->has_help_desk);
	cr_expect_eq(c->help_desk, mail->gr_gid);
	cr_expect_eq(r.errors + r.warnings, 0);
	conf_report_clear(&r);
	conf_drop(&c);
}

Test(group, none)
{
	struct conf_report r;
	struct conf *c = read_with("", &r);

	cr_assert(c);
	cr_expect(!c->has_help_desk);
	conf_report_clear(&r);
	conf_drop(&c);
}

Test(group, a_group_that_does_not_exist)
{
	char name[400];

	is_missed("no-such-group");
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	is_missed(name);
}

/* With several lists of groups, the last one decides, whatever the error of another one was: a
 * start may come too early, and continues; a check of the file, or a reload with a new name,
 * reports it at once. */
Test(group, a_missing_group_is_refused_in_checks_and_new_names)
{
	struct conf_report r;
	struct conf *running, *c;
	char path[PATH_BYTES];

	conf_report_init(&r);
	write_file("u.cfg", MINIMAL "help_desk_group = \"no-such-group\";\n", path);
	cr_expect_null(conf_read_file(path, CONF_SECRETS_READ_HERE, &r));
	cr_expect_eq(r.errors, 1);
	buf_addc(&r.text, 0);
	cr_expect(strstr(r.text.p,
	              "error: help_desk_group: no group \"no-such-group\" is found: groupadd"),
	    "%s", r.text.p);
	conf_report_clear(&r);
	running = read_with("", &r);
	cr_assert(running);
	cr_expect_null(conf_read_again(path, running, &r));
	cr_expect_eq(r.errors, 1);
	conf_report_clear(&r);
	conf_drop(&running);
	/* it was not found at the start: a reload of other keys still works */
	running = read_with("no-such-group", &r);
	cr_assert(running);
	conf_report_clear(&r);
	conf_report_init(&r);
	c = conf_read_again(path, running, &r);
	cr_assert(c);
	cr_expect(!c->has_help_desk);
	cr_expect_eq(r.errors, 0);
	cr_expect_eq(r.warnings, 1);
	conf_report_clear(&r);
	conf_drop(&c);
	conf_drop(&running);
}

/* An error does not mean that the group is missing: a start continues, for root only. */
Test(group, a_group_that_cannot_be_looked_up)
{
	static const int faults[] = {EIO, EMFILE, ENOENT, ESRCH};
	struct conf_report r;
	struct conf *c;

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		fault = faults[i];
		c = read_with("mail", &r);
		cr_assert(c, "%s", strerror(fault));
		cr_expect(!c->has_help_desk);
		cr_expect_eq(r.errors, 0);
		cr_expect_eq(r.warnings, 1);
		buf_addc(&r.text, 0);
		cr_expect(
		    strstr(r.text.p, "the group \"mail\" cannot be looked up"), "%s", r.text.p);
		conf_report_clear(&r);
		conf_drop(&c);
	}
}

/* The list of groups may be on another host: it is not queried while others wait. */
Test(group, a_reload_with_the_same_name_does_no_lookup)
{
	const gid_t gid = getgrnam("mail")->gr_gid;
	struct conf_report r;
	struct conf *running, *c;
	char path[PATH_BYTES];

	if (geteuid() != 0)
		cr_skip_test("needs root to be in any group");
	running = read_with("mail", &r);
	cr_assert(running);
	conf_report_clear(&r);
	cr_expect_eq(asked, 1);
	conf_report_init(&r);
	write_file(
	    "t.cfg", MINIMAL "help_desk_group = \"mail\"; dns: { dnssec = \"off\"; };\n", path);
	c = conf_read_again(path, running, &r);
	cr_assert(c);
	cr_expect_eq(asked, 1);
	cr_expect(c->has_help_desk && c->help_desk == gid);
	conf_drop(&c);
	/* it is looked up again as long as it was not found */
	running->has_help_desk = false;
	c = conf_read_again(path, running, &r);
	cr_assert(c);
	cr_expect_eq(asked, 2);
	cr_expect(c->has_help_desk && c->help_desk == gid);
	conf_drop(&c);
	write_file("t.cfg",
	    MINIMAL "help_desk_group = \"no-such-group\"; dns: { dnssec = \"off\"; };\n", path);
	/* changes of the text are found without a lookup */
	c = conf_read_file(path, CONF_SECRETS_COMPARE, &r);
	cr_assert(c);
	cr_expect_eq(asked, 2);
	conf_drop(&c);
	cr_expect_null(conf_read_again(path, running, &r));
	cr_expect_eq(asked, 3);
	conf_report_clear(&r);
	conf_drop(&running);
}

/* A member of a group that the kernel does not map here looks like a member of nogroup. */
Test(group, nogroup)
{
	is_error("nogroup", "it needs a group of its own");
}

Test(group, a_group_without_the_own_user)
{
	gid_t mail = getgrnam("mail")->gr_gid;
	struct conf_report r;
	struct conf *c;
	char path[PATH_BYTES];

	if (geteuid() != 0)
		cr_skip_test("needs root to be another user");
	become(61001, 61001, 0, NULL);
	is_error("mail", "uid 61001 is no member of the group \"mail\"");
	/* the user of the tool need not be that of the daemon */
	conf_report_init(&r);
	write_file(
	    "t.cfg", MINIMAL "help_desk_group = \"mail\"; dns: { dnssec = \"off\"; };\n", path);
	c = conf_read_file(path, CONF_SECRETS_READ_HERE, &r);
	cr_assert(c);
	cr_expect_eq(r.warnings, 1);
	cr_expect_eq(c->help_desk, mail);
	conf_report_clear(&r);
	conf_drop(&c);
}

Test(group, a_group_with_the_own_user)
{
	gid_t mail = getgrnam("mail")->gr_gid;
	const gid_t groups[] = {61005, mail};
	struct conf_report r;
	struct conf *c;

	if (geteuid() != 0)
		cr_skip_test("needs root to be another user");
	become(61001, 61001, 2, groups);
	c = read_with("mail", &r);
	cr_assert(c);
	cr_expect(c->has_help_desk && c->help_desk == mail);
	conf_report_clear(&r);
	conf_drop(&c);
}

/* A role reads its part without a lookup of groups. */
Test(group, of_a_role)
{
	struct conf_report r;
	struct conf *c;

	conf_report_init(&r);
	c = conf_read_text(
	    STR("hostname = \"gw.test\"; help_desk_group = \"no-such-group\";\n"), &r);
	cr_assert(c);
	cr_expect(!c->has_help_desk);
	cr_expect(str_eq(c->help_desk_group, STR("no-such-group")));
	conf_report_clear(&r);
	conf_drop(&c);
}

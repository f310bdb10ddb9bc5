/* resources_system: resolv.conf and the hosts file, when they appear, change, disappear, and cannot
 * be read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "main/resources.h"
#include "main/resources_system.h"
#include "rig.h"

static struct rig r;
static struct resources_refusal refusal;
static char path[100];

static void
system_configure(const char *resolv_conf)
{
	rig_configure(&r, "listen: ( );");
	r.d.conf->dns.resolv_conf = str_of(resolv_conf);
	r.d.conf->dns.hosts_file = STR("/dev/null");
}

static void
system_set_up(void)
{
	rig_set_up(&r);
	snprintf(path, sizeof path, "%s/resolv.conf", r.directory);
	system_configure(path);
}

static void
system_tear_down(void)
{
	rmdir(path);
	unlink(path);
	rig_tear_down(&r);
}

TestSuite(resources_system, .init = system_set_up, .fini = system_tear_down, .timeout = 60);

static const struct resources_file *
file_of(const struct resources *o)
{
	size_t n = 0;

	while (n < o->file_count && !str_eq(o->files[n].path, o->conf->dns.resolv_conf))
		n++;
	cr_assert_lt(n, o->file_count);
	return &o->files[n];
}

static void
expect_text(const struct resources *o, const char *wanted)
{
	char text[100] = "";
	int fd = file_of(o)->fd;

	cr_assert_eq(fd < 0, wanted == NULL, "%d", fd);
	if (!wanted)
		return;
	cr_assert(pread(fd, text, sizeof text - 1, 0) >= 0);
	cr_expect_str_eq(text, wanted);
}

static void
expect_trouble(const struct resources *o, const char *words)
{
	char text[RESOURCES_SYSTEM_TEXT_BYTES];

	cr_expect(
	    strstr(resources_system_trouble(o, text), words) && (words[0] || !text[0]), "%s", text);
}

static struct resources *
open_system_resources(const struct resources *before)
{
	struct resources *o = resources_new(r.d.conf, before, 1, &refusal);

	cr_assert(o, "%s", refusal.why);
	return o;
}

Test(resources_system, changes_are_read)
{
	struct resources *o = open_system_resources(NULL);
	unsigned open_count = rig_descriptors();

	expect_text(o, NULL);
	expect_trouble(o, "");
	cr_expect(!resources_system_renew(o), "it is still missing");
	rig_write(path, "nameserver 192.0.2.1\n");
	cr_expect(resources_system_renew(o));
	expect_text(o, "nameserver 192.0.2.1\n");
	cr_expect(!resources_system_renew(o), "it is the same");
	rig_write(path, "");
	cr_expect(resources_system_renew(o), "it is empty");
	expect_text(o, "");
	unlink(path);
	cr_expect(resources_system_renew(o));
	expect_text(o, NULL);
	expect_trouble(o, "");
	cr_expect_eq(rig_descriptors(), open_count);
	resources_free(&o);
}

/* Relay may not look up interfaces: it gets their numbers, also of one that appears after its
 * start. */
Test(resources_system, interfaces_are_given_as_numbers)
{
	struct resources *o;

	rig_write(path, "nameserver fe80::1%no-such-link\n");
	o = open_system_resources(NULL);
	expect_text(o, "nameserver fe80::1%no-such-link\n");
	rig_write(
	    path, "# nameserver fe80::1%lo\nnameserver\tfe80::1%lo # x\nnameserver fe80::2%7\n");
	cr_expect(resources_system_renew(o));
	expect_text(o, "# nameserver fe80::1%lo\nnameserver fe80::1%1\nnameserver fe80::2%7\n");
	resources_free(&o);
}

/* A failure to look up the number is not the fault of the file: the read is postponed. */
Test(resources_system, a_failed_interface_lookup_postpones_the_read)
{
	static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};
	struct resources *o = open_system_resources(NULL);
	unsigned open_count = rig_descriptors();

	rig_write(path, "nameserver fe80::1%link0\n");
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		rig_link_error = errors[i];
		cr_expect(!resources_system_renew(o), "%s", strerror(errors[i]));
		cr_expect(resources_system_is_postponed(o));
		expect_text(o, NULL);
		expect_trouble(o, strerror(errors[i]));
	}
	rig_link_error = 0;
	rig_link_index = 4;
	cr_expect(resources_system_renew(o));
	cr_expect(!resources_system_is_postponed(o));
	expect_text(o, "nameserver fe80::1%4\n");
	expect_trouble(o, "");
	cr_expect_eq(rig_descriptors(), open_count + 1);
	rig_link_error = EACCES;
	cr_expect(!resources_system_renew(o), "what was read before is used");
	expect_text(o, "nameserver fe80::1%4\n");
	expect_trouble(
	    o, "resolv.conf cannot be read (Permission denied): what was read before is used");
	rig_link_error = ENXIO;
	cr_expect(resources_system_renew(o), "there is none");
	expect_text(o, "nameserver fe80::1%link0\n");
	rig_link_error = ENODEV;
	resources_free(&o);
}

/* An error is different from a missing file: the former copy stays in use, also after a reload. */
Test(resources_system, an_unreadable_file_keeps_the_former_copy)
{
	struct resources *o, *next;
	unsigned open_count;

	rig_write(path, "nameserver 192.0.2.1\n");
	o = open_system_resources(NULL);
	open_count = rig_descriptors();
	unlink(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	for (int i = 0; i < 3; i++) {
		cr_expect(!resources_system_renew(o));
		expect_text(o, "nameserver 192.0.2.1\n");
		expect_trouble(
		    o, "resolv.conf cannot be read (Is a directory): what was read before is used");
		cr_expect_eq(rig_descriptors(), open_count);
	}
	next = open_system_resources(o);
	resources_free(&o);
	open_count = rig_descriptors();
	expect_text(next, "nameserver 192.0.2.1\n");
	expect_trouble(next, "Is a directory");
	rmdir(path);
	rig_write(path, "nameserver 192.0.2.1\n");
	cr_expect(!resources_system_renew(next), "it is what it was");
	expect_trouble(next, "");
	cr_expect_eq(rig_descriptors(), open_count);
	resources_free(&next);
}

/* A start continues without it, as there is no former copy; a reload that adds its name is
 * refused. */
Test(resources_system, a_file_unreadable_from_the_start)
{
	char other[110];
	struct resources *o;

	cr_assert_eq(mkdir(path, 0700), 0);
	o = open_system_resources(NULL);
	expect_text(o, NULL);
	expect_trouble(
	    o, "resolv.conf cannot be read (Is a directory): nothing of it is used until it can");
	snprintf(other, sizeof other, "%s/other", r.directory);
	cr_assert_eq(mkdir(other, 0700), 0);
	system_configure(other);
	cr_expect_null(resources_new(r.d.conf, o, 1, &refusal));
	cr_expect(strstr(refusal.why, "other (for relay): Is a directory"), "%s", refusal.why);
	rmdir(other);
	resources_free(&o);
}

static void
hosts_configure(const char *routes)
{
	char extra[400];

	snprintf(extra, sizeof extra, "listen: ( );\n%s", routes);
	rig_configure(&r, extra);
	r.d.conf->dns.resolv_conf = STR("/dev/null");
	r.d.conf->dns.hosts_file = str_of(path);
}

static void
expect_hosts(const struct resources *o, const char *wanted)
{
	char text[200] = "";
	size_t n = 0;

	while (n < o->file_count && !str_eq(o->files[n].path, o->conf->dns.hosts_file))
		n++;
	cr_assert(n < o->file_count && pread(o->files[n].fd, text, sizeof text - 1, 0) >= 0);
	cr_expect_str_eq(text, wanted);
}

#define SMART "routes: ( { via = \"smarthost\"; host = \"Smart.test\"; tls = \"none\"; } );"
#define OTHER "routes: ( { via = \"smarthost\"; host = \"other.test\"; tls = \"none\"; } );"

/* Relay gets only what the routes use of the hosts file: the rest may be large, and change
 * often. */
Test(resources_system, only_hosts_of_routes_are_copied)
{
	static const char rest[] = "0.0.0.0 advertising.tracker.example another.example # much\n";
	struct resources *o, *next;
	FILE *f;

	hosts_configure(SMART);
	f = fopen(path, "w");
	cr_assert(f);
	for (size_t n = 0; n < (6 << 20); n += sizeof rest - 1)
		fputs(rest, f);
	fputs("192.0.2.1 other.test smart.test # x\n2001:db8::1  SMART.test\n", f);
	cr_assert_eq(fclose(f), 0);
	o = open_system_resources(NULL);
	expect_hosts(o, "192.0.2.1 smart.test\n2001:db8::1 smart.test\n");
	f = fopen(path, "a");
	cr_assert(f);
	fputs(rest, f);
	cr_assert_eq(fclose(f), 0);
	cr_expect(!resources_system_renew(o), "nothing that counts has changed");
	hosts_configure(OTHER);
	next = open_system_resources(o);
	expect_hosts(next, "192.0.2.1 other.test\n");
	resources_free(&o);
	resources_free(&next);
}

Test(resources_system, a_hosts_file_that_is_too_long)
{
	struct resources *o, *next;

	rig_write(path, "192.0.2.1 smart.test\n");
	hosts_configure(SMART);
	o = open_system_resources(NULL);
	cr_assert_eq(truncate(path, (64 << 20) + 1), 0);
	cr_expect(!resources_system_renew(o));
	expect_trouble(o, "cannot be read (File too large, at most 64 MiB are read): what was read "
	                  "before is used");
	next = open_system_resources(o);
	expect_hosts(next, "192.0.2.1 smart.test\n");
	resources_free(&next);
	/* the former copy does not contain this host */
	hosts_configure(OTHER);
	cr_expect_null(resources_new(r.d.conf, o, 1, &refusal));
	cr_expect(strstr(refusal.why, "(for relay): File too large, at most 64 MiB are read"), "%s",
	    refusal.why);
	resources_free(&o);
}

/* That the caller of `config check` may not read it does not mean that the daemon may not. */
Test(resources_system, a_file_that_only_the_caller_cannot_read_is_a_warning)
{
	struct conf_report report;

	if (geteuid() != 0)
		cr_skip_test("needs root to be another user");
	rig_write(path, "nameserver 192.0.2.1\n");
	cr_assert_eq(chmod(path, 0600), 0);
	cr_assert_eq(chmod(r.directory, 0755), 0);
	conf_report_init(&report);
	/* in this thread only */
	cr_assert_eq(syscall(SYS_setresuid, 61001, 61001, 0), 0);
	resources_system_report("t.cfg", r.d.conf, &report);
	cr_assert_eq(syscall(SYS_setresuid, 0, 0, 0), 0);
	buf_addc(&report.text, 0);
	cr_expect_eq(report.warnings, 1, "%s", report.text.p);
	cr_expect_eq(report.errors, 0, "%s", report.text.p);
	cr_expect(strstr(report.text.p, "resolv.conf: Permission denied"), "%s", report.text.p);
	conf_report_clear(&report);
}

/* More names and addresses than relay can get. */
Test(resources_system, a_hosts_file_with_too_many_used_lines)
{
	enum { NAMES = 500, ADDRESSES = 40 };
	static struct conf_route routes[NAMES];
	static char names[NAMES][256];
	struct resources *o;
	FILE *f;

	hosts_configure(SMART);
	o = open_system_resources(NULL);
	f = fopen(path, "w");
	cr_assert(f);
	for (int i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof names[i], "x%d.%0240d", i, 0);
		for (int a = 0; a < ADDRESSES; a++)
			fprintf(f, "192.0.2.%d %s\n", a, names[i]);
		routes[i] = r.d.conf->routes.item[0];
		routes[i].host = str_of(names[i]);
	}
	cr_assert_eq(fclose(f), 0);
	hosts_configure(SMART);
	r.d.conf->routes.item = routes;
	r.d.conf->routes.count = NAMES;
	cr_expect_null(resources_new(r.d.conf, o, 1, &refusal));
	cr_expect(
	    strstr(refusal.why, "(for relay): more than 4 MiB of it count for the hosts of routes"),
	    "%s", refusal.why);
	resources_free(&o);
}

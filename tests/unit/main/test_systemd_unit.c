/* systemd_unit: it warns of paths that the shipped unit hides or protects, until a drop-in permits
 * them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main/systemd_unit.h"
#include "rig.h"

static struct rig r;

static void
service_set_up(void)
{
	char command[600];
	const char *top = getenv("TOP_SRCDIR");

	rig_set_up(&r);
	rig_configure(&r, "");
	snprintf(command, sizeof command,
	    "cd %s && mkdir -p run/systemd/system usr/lib/systemd/system "
	    "etc/systemd/system/sallyport.service.d && "
	    "cp %s/etc/sallyport.service usr/lib/systemd/system",
	    r.directory, top ? top : ".");
	cr_assert_eq(system(command), 0);
	r.d.conf->queue.directory = STR("/var/spool/sallyport");
	r.d.conf->state_directory = STR("/var/lib/sallyport");
	r.d.conf->run_directory = STR("/run/sallyport");
	r.d.conf->log.file = STR("/var/log/sallyport/x.log");
	r.d.conf->dns.trust_anchor = STR("/usr/share/dns/root.key");
	((struct conf_tls *)(uintptr_t)r.d.conf->tls.item)->certificate = STR("/etc/x.crt");
	((struct conf_tls *)(uintptr_t)r.d.conf->tls.item)->private_key = STR("/etc/x.key");
}

static void
service_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(systemd_unit, .init = service_set_up, .fini = service_tear_down);

static void
drop_in(const char *text)
{
	char path[200];

	snprintf(
	    path, sizeof path, "%s/etc/systemd/system/sallyport.service.d/paths.conf", r.directory);
	rig_write(path, text);
}

/* The number of warnings; each of the words is in them. */
static unsigned
warnings(const char *words)
{
	struct conf_report report;
	unsigned count;

	conf_report_init(&report);
	systemd_unit_check(r.directory, "t.cfg", r.d.conf, &report);
	buf_addc(&report.text, '\0');
	if (report.warnings)
		cr_expect(strstr(report.text.p, words), "%s: %s", words, report.text.p);
	cr_expect_eq(report.errors, 0);
	count = report.warnings;
	conf_report_clear(&report);
	return count;
}

Test(systemd_unit, paths_that_the_unit_makes_read_only)
{
	cr_expect_eq(warnings("none"), 0);
	r.d.conf->queue.directory = STR("/var/spool/sallyport/deeper");
	cr_expect_eq(warnings("none"), 0);
	r.d.conf->queue.directory = STR("/var/spool/sallyport2");
	cr_expect_eq(
	    warnings("t.cfg: warning: queue.directory: /var/spool/sallyport2: the unit "
	             "sallyport.service does not let the daemon write there (ProtectSystem=)"),
	    1);
	r.d.conf->log.file = STR("/srv/x.log");
	cr_expect_eq(warnings("warning: log.target: /srv/x.log: "), 2);
	drop_in("[Service]\nReadWritePaths=/srv -/var/spool/sallyport2/\n");
	cr_expect_eq(warnings("none"), 0);
	drop_in("[Service]\nProtectSystem=full\n");
	cr_expect_eq(warnings("none"), 0);
}

static void
drop_in_at(const char *place, const char *name, const char *text)
{
	char command[400], path[300];

	snprintf(command, sizeof command, "mkdir -p %s%s/sallyport.service.d", r.directory, place);
	cr_assert_eq(system(command), 0);
	snprintf(path, sizeof path, "%s%s/sallyport.service.d/%s", r.directory, place, name);
	rig_write(path, text);
}

/* As systemd reads them: in the order of names, over all directories; of one name the first
 * directory counts. */
Test(systemd_unit, drop_ins_are_read_in_the_order_of_their_names)
{
	char name[32];

	r.d.conf->queue.directory = STR("/srv/spool");
	for (int i = 9; i >= 0; i--) {
		snprintf(name, sizeof name, "%d-paths.conf", i);
		drop_in_at(i % 2 ? "/etc/systemd/system" : "/usr/lib/systemd/system", name,
		    i == 9 ? "[Service]\nProtectSystem=strict\n"
		           : "[Service]\nProtectSystem=full\n");
	}
	cr_expect_eq(warnings("queue.directory: /srv/spool"), 1, "the last one counts");
	drop_in_at("/usr/lib/systemd/system", "99-paths.conf", "[Service]\nProtectSystem=full\n");
	cr_expect_eq(warnings("none"), 0, "it is behind that of /etc");
	drop_in_at("/etc/systemd/system", "99-paths.conf", "");
	cr_expect_eq(warnings("queue.directory: /srv/spool"), 1, "it is in place of the other one");
}

Test(systemd_unit, paths_that_the_unit_hides)
{
	struct conf_tls *tls = (struct conf_tls *)(uintptr_t)r.d.conf->tls.item;

	tls->private_key = STR("/root/acme/x.key");
	cr_expect_eq(
	    warnings("warning: tls.private_key: /root/acme/x.key: the unit sallyport.service "
	             "hides it from the daemon (ProtectHome=)"),
	    1);
	drop_in("[Service]\nBindReadOnlyPaths=/root/acme\n");
	cr_expect_eq(warnings("ProtectHome=tmpfs"), 1, "under ProtectHome=yes no path is bound");
	drop_in("[Service]\nProtectHome=tmpfs\nBindReadOnlyPaths=/root/acme:/root/acme:norbind\n");
	cr_expect_eq(warnings("none"), 0);
	drop_in("[Service]\nProtectHome=read-only\n");
	cr_expect_eq(warnings("none"), 0);
	tls->private_key = STR("/rooted/x.key");
	drop_in("");
	cr_expect_eq(warnings("none"), 0);
	r.d.conf->state_directory = STR("/var/tmp/state");
	cr_expect_eq(
	    warnings("state_directory: /var/tmp/state: the unit sallyport.service hides it "
	             "from the daemon (PrivateTmp=)"),
	    1);
}

Test(systemd_unit, without_systemd_there_is_no_warning)
{
	char command[200];

	r.d.conf->queue.directory = STR("/srv/spool");
	cr_expect_eq(warnings("queue.directory"), 1);
	snprintf(command, sizeof command, "rm -r %s/run/systemd", r.directory);
	cr_assert_eq(system(command), 0);
	cr_expect_eq(warnings("none"), 0);
}

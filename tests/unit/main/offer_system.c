/* offer_system: resolv.conf and the hosts file, which come, change, go, and cannot be read. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main/offer_system.h"
#include "rig.h"

static struct rig r;
static struct offer_refusal refusal;
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

TestSuite(offer_system, .init = system_set_up, .fini = system_tear_down, .timeout = 60);

static const struct offer_file *
file_of(const struct offer *o)
{
	size_t n = 0;

	while (n < o->file_count && !str_eq(o->files[n].path, o->conf->dns.resolv_conf))
		n++;
	cr_assert_lt(n, o->file_count);
	return &o->files[n];
}

static void
expect_text(const struct offer *o, const char *wanted)
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
expect_trouble(const struct offer *o, const char *words)
{
	char text[OFFER_SYSTEM_TEXT_BYTES];

	cr_expect(strstr(offer_system_trouble(o, text), words) && (words[0] || !text[0]), "%s", text);
}

static struct offer *
system_offer(const struct offer *before)
{
	struct offer *o = offer_new(r.d.conf, before, 1, &refusal);

	cr_assert(o, "%s", refusal.why);
	return o;
}

Test(offer_system, what_comes_changes_and_goes)
{
	struct offer *o = system_offer(NULL);
	unsigned held = rig_descriptors();

	expect_text(o, NULL);
	expect_trouble(o, "");
	cr_expect(!offer_system_renew(o), "it is still missing");
	rig_write(path, "nameserver 192.0.2.1\n");
	cr_expect(offer_system_renew(o));
	expect_text(o, "nameserver 192.0.2.1\n");
	cr_expect(!offer_system_renew(o), "it is the same");
	rig_write(path, "");
	cr_expect(offer_system_renew(o), "it is empty");
	expect_text(o, "");
	unlink(path);
	cr_expect(offer_system_renew(o));
	expect_text(o, NULL);
	expect_trouble(o, "");
	cr_expect_eq(rig_descriptors(), held);
	offer_free(&o);
}

/* An error is not an absence: what was read before stays, also through a reload. */
Test(offer_system, what_cannot_be_read_changes_nothing)
{
	struct offer *o, *next;
	unsigned held;

	rig_write(path, "nameserver 192.0.2.1\n");
	o = system_offer(NULL);
	held = rig_descriptors();
	unlink(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	for (int i = 0; i < 3; i++) {
		cr_expect(!offer_system_renew(o));
		expect_text(o, "nameserver 192.0.2.1\n");
		expect_trouble(o, "resolv.conf cannot be read (Is a directory): what was read before is used");
		cr_expect_eq(rig_descriptors(), held);
	}
	next = system_offer(o);
	offer_free(&o);
	held = rig_descriptors();
	expect_text(next, "nameserver 192.0.2.1\n");
	expect_trouble(next, "Is a directory");
	rmdir(path);
	rig_write(path, "nameserver 192.0.2.1\n");
	cr_expect(!offer_system_renew(next), "it is what it was");
	expect_trouble(next, "");
	cr_expect_eq(rig_descriptors(), held);
	offer_free(&next);
}

/* A start goes on without it, as there is nothing to keep; a reload that brings its name is refused. */
Test(offer_system, what_cannot_be_read_from_the_start)
{
	char other[110];
	struct offer *o;

	cr_assert_eq(mkdir(path, 0700), 0);
	o = system_offer(NULL);
	expect_text(o, NULL);
	expect_trouble(o, "resolv.conf cannot be read (Is a directory): nothing of it is used until it can");
	snprintf(other, sizeof other, "%s/other", r.directory);
	cr_assert_eq(mkdir(other, 0700), 0);
	system_configure(other);
	cr_expect_null(offer_new(r.d.conf, o, 1, &refusal));
	cr_expect(strstr(refusal.why, "other (for relay): Is a directory"), "%s", refusal.why);
	rmdir(other);
	offer_free(&o);
}

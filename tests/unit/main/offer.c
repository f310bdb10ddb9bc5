/* offer and watch: all that a configuration needs, or nothing. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main/offer.h"
#include "rig.h"

static struct rig r;
static char why[REASON_BYTES];

static void
offer_configure(unsigned a, unsigned b)
{
	char extra[300];

	snprintf(extra, sizeof extra,
	    "listen: ( { address = \"127.0.0.1\"; port = %u; tls = \"implicit\"; },"
	    " { address = \"127.0.0.1\"; port = %u; tls = \"starttls\"; } );",
	    a, b);
	rig_configure(&r, extra);
}

static void
offer_set_up(void)
{
	rig_set_up(&r);
	offer_configure(rig_free_port(), rig_free_port());
}

static void
offer_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(offer, .init = offer_set_up, .fini = offer_tear_down);

static const struct offer_file *
file_of(const struct offer *o, enum role_grant kind)
{
	size_t n = 0;

	while (n < o->file_count && o->files[n].kind != kind)
		n++;
	cr_assert_lt(n, o->file_count);
	return &o->files[n];
}

Test(offer, all_is_open)
{
	struct offer *o = offer_new(r.d.conf, NULL, 2, why);

	cr_assert(o, "%s", why);
	for (int k = ROLE_MAIN + 1; k < ROLE_KINDS; k++) {
		char c;

		cr_expect_eq(pread(o->configs[k], &c, 1, 0), 1);
		cr_expect_eq(pwrite(o->configs[k], "x", 1, 0), -1, "it is sealed");
	}
	for (unsigned s = 0; s < 2; s++)
		cr_expect(o->listeners[s][0] >= 0 && o->listeners[s][1] >= 0 && o->listeners[s][2] < 0);
	cr_expect(file_of(o, GRANT_PRIVATE_KEY)->fd >= 0);
	cr_expect(file_of(o, GRANT_CERTIFICATE)->fd >= 0);
	cr_expect(file_of(o, GRANT_FILE)->fd >= 0, "the anchor");
	offer_free(&o);
	cr_expect_null(o);
}

/* Whatever step the want of descriptors meets: refused in words, and nothing stays open. */
Test(offer, without_descriptors)
{
	struct rlimit all, few;
	struct offer *before = offer_new(r.d.conf, NULL, 2, why), *o = NULL;
	unsigned held = rig_descriptors(), refused = 0;

	cr_assert(before);
	offer_configure(rig_free_port(), rig_free_port());
	held = rig_descriptors();
	getrlimit(RLIMIT_NOFILE, &all);
	few = all;
	for (few.rlim_cur = 3; !o && few.rlim_cur < 200; few.rlim_cur++) {
		setrlimit(RLIMIT_NOFILE, &few);
		why[0] = 0;
		o = offer_new(r.d.conf, before, 2, why);
		setrlimit(RLIMIT_NOFILE, &all);
		refused += !o;
		cr_expect(o || strstr(why, "Too many open files"), "%s", why);
		cr_expect(o || rig_descriptors() == held, "%u", rig_descriptors());
	}
	cr_expect(o);
	cr_expect_gt(refused, 8);
	offer_free(&o);
	offer_free(&before);
}

static ino_t
inode(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

/* A waiting client stays: the socket is the same, wherever the listener stands in the list. */
Test(offer, listeners_are_kept_by_place)
{
	unsigned a = rig_free_port(), b = rig_free_port();
	struct offer *before, *o;

	offer_configure(a, b);
	before = offer_new(r.d.conf, NULL, 1, why);
	cr_assert(before, "%s", why);
	offer_configure(b, a);
	o = offer_new(r.d.conf, before, 1, why);
	cr_assert(o, "%s", why);
	cr_expect_eq(inode(o->listeners[0][0]), inode(before->listeners[0][1]));
	cr_expect_eq(inode(o->listeners[0][1]), inode(before->listeners[0][0]));
	offer_free(&before);
	offer_free(&o);
}

Test(offer, a_port_that_is_taken)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	unsigned port = rig_free_port();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct offer *before = offer_new(r.d.conf, NULL, 1, why);

	at.sin_port = htons((uint16_t)port);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	cr_assert_eq(listen(fd, 1), 0);
	offer_configure(port, rig_free_port());
	cr_expect_null(offer_new(r.d.conf, before, 1, why));
	cr_expect(strstr(why, "cannot listen on 127.0.0.1") && strstr(why, "in use"), "%s", why);
	offer_free(&before);
	close(fd);
}

/* A second daemon of the same user: its sockets would take half of the connections. */
Test(offer, a_port_of_another_daemon)
{
	unsigned a = rig_free_port(), b = rig_free_port();
	char wanted[100];
	struct offer *first, *second;

	offer_configure(a, b);
	first = offer_new(r.d.conf, NULL, 2, why);
	cr_assert(first, "%s", why);
	offer_configure(rig_free_port(), b);
	cr_expect_null(offer_new(r.d.conf, NULL, 2, why));
	snprintf(wanted, sizeof wanted, "listen: cannot listen on 127.0.0.1 port %u", b);
	cr_expect(strstr(why, wanted) && strstr(why, "in use: another process listens there"), "%s",
	    why);
	offer_free(&first);
	second = offer_new(r.d.conf, NULL, 2, why);
	cr_expect(second, "%s", why);
	offer_free(&second);
}

static void
offer_configure_places(const char *address, unsigned port, const char *more)
{
	char extra[300];

	snprintf(extra, sizeof extra,
	    "listen: ( { address = \"%s\"; port = %u; tls = \"implicit\"; }%s );", address, port,
	    more);
	rig_configure(&r, extra);
}

/* A reload from one address to all of them, and back: the daemon shares ports with itself. */
Test(offer, addresses_of_a_port_overlap)
{
	unsigned port = rig_free_port();
	struct offer *one, *all, *again;
	char more[100];

	offer_configure_places("127.0.0.1", port, "");
	one = offer_new(r.d.conf, NULL, 2, why);
	cr_assert(one, "%s", why);
	offer_configure_places("", port, "");
	all = offer_new(r.d.conf, one, 2, why);
	cr_assert(all, "%s", why);
	offer_free(&one);
	offer_configure_places("127.0.0.1", port, "");
	again = offer_new(r.d.conf, all, 2, why);
	cr_expect(again, "%s", why);
	offer_free(&all);
	offer_free(&again);
	snprintf(more, sizeof more, ", { address = \"0.0.0.0\"; port = %u; tls = \"implicit\"; }",
	    port);
	offer_configure_places("127.0.0.1", port, more);
	one = offer_new(r.d.conf, NULL, 2, why);
	cr_expect(one, "both in one configuration: %s", why);
	offer_free(&one);
}

/* As another daemon of the same user has it: the kernel would let it be joined. */
static int
listen_as_another(const char *address, unsigned port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	cr_assert_eq(inet_pton(AF_INET, address, &at.sin_addr), 1);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

static void
expect_refused(const struct offer *before, const char *address, unsigned port)
{
	struct offer *o = offer_new(r.d.conf, before, 2, why);
	char wanted[100];

	cr_expect_null(o);
	snprintf(wanted, sizeof wanted, "listen: cannot listen on %s port %u", address, port);
	cr_expect(strstr(why, wanted) && strstr(why, "in use: another process listens there"), "%s",
	    why);
	offer_free(&o);
}

/* A listener of our own with the same port, but at another address, is not what is in the way. */
Test(offer, another_daemon_at_another_address)
{
	unsigned port = rig_free_port();
	int other = listen_as_another("127.0.0.2", port);
	struct offer *one, *both;
	char more[100];

	snprintf(more, sizeof more,
	    ", { address = \"127.0.0.2\"; port = %u; tls = \"implicit\"; }", port);
	offer_configure_places("127.0.0.1", port, more);
	expect_refused(NULL, "127.0.0.2", port);
	offer_configure_places("127.0.0.1", port, "");
	one = offer_new(r.d.conf, NULL, 2, why);
	cr_assert(one, "%s", why);
	offer_configure_places("127.0.0.2", port, "");
	expect_refused(one, "127.0.0.2", port);
	offer_configure_places("127.0.0.1", port, more);
	expect_refused(one, "127.0.0.2", port);
	close(other);
	both = offer_new(r.d.conf, one, 2, why);
	cr_expect(both, "%s", why);
	offer_free(&both);
	offer_free(&one);
}

/* What covers no address of the other is not joined either. */
Test(offer, families_do_not_overlap)
{
	unsigned port = rig_free_port();
	struct offer *one;
	int other;

	offer_configure_places("::", port, "");
	one = offer_new(r.d.conf, NULL, 2, why);
	if (!one)
		cr_skip_test("no IPv6");
	other = listen_as_another("127.0.0.1", port);
	offer_configure_places("127.0.0.1", port, "");
	expect_refused(one, "127.0.0.1", port);
	close(other);
	offer_free(&one);
}

/* The kernel gives connections to the sockets of all submission processes. */
Test(offer, processes_share_a_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	unsigned port = rig_free_port(), got[2] = {0};
	int clients[64];
	struct offer *o;

	offer_configure(port, rig_free_port());
	o = offer_new(r.d.conf, NULL, 2, why);
	cr_assert(o, "%s", why);
	at.sin_port = htons((uint16_t)port);
	for (int i = 0; i < 64; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		cr_assert_eq(connect(clients[i], (struct sockaddr *)&at, sizeof at), 0);
	}
	for (int s = 0; s < 2; s++)
		for (int fd; (fd = accept(o->listeners[s][0], NULL, NULL)) >= 0; close(fd))
			got[s]++;
	cr_expect_eq(got[0] + got[1], 64);
	cr_expect(got[0] > 8 && got[1] > 8, "%u and %u", got[0], got[1]);
	for (int i = 0; i < 64; i++)
		close(clients[i]);
	offer_free(&o);
}

/* What was there must be there at a reload; what never was there need not. */
Test(offer, missing_files)
{
	char path[100];
	struct offer *before, *o;

	snprintf(path, sizeof path, "%s/tls.crt", r.directory);
	before = offer_new(r.d.conf, NULL, 1, why);
	unlink(path);
	cr_expect_null(offer_new(r.d.conf, before, 1, why));
	cr_expect(strstr(why, "tls.crt (for submission): No such file"), "%s", why);
	offer_free(&before);
	before = offer_new(r.d.conf, NULL, 1, why);
	cr_assert(before, "a first start says so and goes on: %s", why);
	o = offer_new(r.d.conf, before, 1, why);
	cr_expect(o, "%s", why);
	offer_free(&o);
	offer_free(&before);
}

Test(offer, certificates_are_renewed_together)
{
	char crt[100], key[110], c[20] = "";
	struct offer *o = offer_new(r.d.conf, NULL, 1, why);
	unsigned held = rig_descriptors();

	snprintf(crt, sizeof crt, "%s/tls.crt", r.directory);
	snprintf(key, sizeof key, "%s/tls.key", r.directory);
	unlink(crt);
	rig_write(crt, "fresh");
	unlink(key);
	cr_expect(!offer_renew_certificates(o, why), "the key is not there yet");
	cr_expect(strstr(why, "tls.key"), "%s", why);
	cr_assert(pread(file_of(o, GRANT_CERTIFICATE)->fd, c, sizeof c - 1, 0) > 0);
	cr_expect_str_eq(c, "certificate", "the former one stays");
	rig_write(key, "fresh");
	cr_expect(offer_renew_certificates(o, why), "%s", why);
	memset(c, 0, sizeof c);
	cr_assert(pread(file_of(o, GRANT_CERTIFICATE)->fd, c, sizeof c - 1, 0) > 0);
	cr_expect_str_eq(c, "fresh");
	cr_expect_eq(rig_descriptors(), held);
	offer_free(&o);
}

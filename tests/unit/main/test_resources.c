/* resources and watch_files: everything that a configuration needs is opened, or nothing. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "main/port_holder.h"
#include "main/resources.h"
#include "main/resources_tls.h"
#include "rig.h"

static struct rig r;
static struct resources_refusal refusal;

static void
configure_ports(unsigned a, unsigned b)
{
	char extra[300];

	snprintf(extra, sizeof extra,
	    "listen: ( { address = \"127.0.0.1\"; port = %u; tls = \"implicit\"; },"
	    " { address = \"127.0.0.1\"; port = %u; tls = \"starttls\"; } );",
	    a, b);
	rig_configure(&r, extra);
}

static void
resources_set_up(void)
{
	rig_set_up(&r);
	configure_ports(rig_free_port(), rig_free_port());
}

static void
resources_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(resources, .init = resources_set_up, .fini = resources_tear_down);

static const struct resources_file *
file_of(const struct resources *o, enum role_grant kind)
{
	size_t n = 0;

	while (n < o->file_count && o->files[n].kind != kind)
		n++;
	cr_assert_lt(n, o->file_count);
	return &o->files[n];
}

Test(resources, everything_is_opened)
{
	struct resources *o = resources_new(r.d.conf, NULL, 2, &refusal);

	cr_assert(o, "%s", refusal.why);
	for (int k = ROLE_MAIN + 1; k < ROLE_KINDS; k++) {
		char c;

		cr_expect_eq(pread(o->configs[k], &c, 1, 0), 1);
		cr_expect_eq(pwrite(o->configs[k], "x", 1, 0), -1, "it is sealed");
	}
	for (unsigned s = 0; s < 2; s++)
		cr_expect(
		    o->listeners[s][0] >= 0 && o->listeners[s][1] >= 0 && o->listeners[s][2] < 0);
	cr_expect(file_of(o, GRANT_PRIVATE_KEY)->fd >= 0);
	cr_expect(file_of(o, GRANT_CERTIFICATE)->fd >= 0);
	cr_expect(file_of(o, GRANT_FILE)->fd >= 0, "the anchor");
	resources_free(&o);
	cr_expect_null(o);
}

/* At whichever step descriptors run out, the failure is reported, and nothing stays open. */
Test(resources, a_lack_of_descriptors_leaves_nothing_open)
{
	struct rlimit all, few;
	struct resources *before = resources_new(r.d.conf, NULL, 2, &refusal), *o = NULL;
	unsigned open_count = rig_descriptors(), refused = 0;

	cr_assert(before);
	configure_ports(rig_free_port(), rig_free_port());
	open_count = rig_descriptors();
	getrlimit(RLIMIT_NOFILE, &all);
	few = all;
	for (few.rlim_cur = 3; !o && few.rlim_cur < 200; few.rlim_cur++) {
		setrlimit(RLIMIT_NOFILE, &few);
		refusal.why[0] = 0;
		o = resources_new(r.d.conf, before, 2, &refusal);
		setrlimit(RLIMIT_NOFILE, &all);
		refused += !o;
		cr_expect(o || strstr(refusal.why, "Too many open files"), "%s", refusal.why);
		cr_expect(o || rig_descriptors() == open_count, "%u", rig_descriptors());
	}
	cr_expect(o);
	cr_expect_gt(refused, 8);
	resources_free(&o);
	resources_free(&before);
}

static ino_t
inode(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

/* A waiting client stays connected: the socket is the same, wherever the listener is in the
 * list. */
Test(resources, listeners_are_kept_by_address_and_port)
{
	unsigned a = rig_free_port(), b = rig_free_port();
	struct resources *before, *o;

	configure_ports(a, b);
	before = resources_new(r.d.conf, NULL, 1, &refusal);
	cr_assert(before, "%s", refusal.why);
	configure_ports(b, a);
	o = resources_new(r.d.conf, before, 1, &refusal);
	cr_assert(o, "%s", refusal.why);
	cr_expect_eq(inode(o->listeners[0][0]), inode(before->listeners[0][1]));
	cr_expect_eq(inode(o->listeners[0][1]), inode(before->listeners[0][0]));
	resources_free(&before);
	resources_free(&o);
}

Test(resources, a_port_in_use_is_refused)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	unsigned port = rig_free_port();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct resources *before = resources_new(r.d.conf, NULL, 1, &refusal);

	at.sin_port = htons((uint16_t)port);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	cr_assert_eq(listen(fd, 1), 0);
	configure_ports(port, rig_free_port());
	cr_expect_null(resources_new(r.d.conf, before, 1, &refusal));
	cr_expect(strstr(refusal.why, "cannot listen on 127.0.0.1") &&
	        strstr(refusal.why, "in use"),
	    "%s", refusal.why);
	resources_free(&before);
	close(fd);
}

/* A second daemon of the same user, which must not share the port: it would get half of the
 * connections. */
Test(resources, a_port_of_another_daemon_is_refused)
{
	unsigned a = rig_free_port(), b = rig_free_port();
	char wanted[100];
	struct resources *first, *second;

	configure_ports(a, b);
	first = resources_new(r.d.conf, NULL, 2, &refusal);
	cr_assert(first, "%s", refusal.why);
	configure_ports(rig_free_port(), b);
	cr_expect_null(resources_new(r.d.conf, NULL, 2, &refusal));
	snprintf(wanted, sizeof wanted, "listen: cannot listen on 127.0.0.1 port %u", b);
	cr_expect(strstr(refusal.why, wanted) &&
	        strstr(refusal.why, "in use: another process listens there"),
	    "%s", refusal.why);
	resources_free(&first);
	second = resources_new(r.d.conf, NULL, 2, &refusal);
	cr_expect(second, "%s", refusal.why);
	resources_free(&second);
}

static void
configure_address(const char *address, unsigned port, const char *more)
{
	char extra[300];

	snprintf(extra, sizeof extra,
	    "listen: ( { address = \"%s\"; port = %u; tls = \"implicit\"; }%s );", address, port,
	    more);
	rig_configure(&r, extra);
}

/* A reload from one address to all, and back: the daemon shares ports with itself. */
Test(resources, overlapping_addresses_of_one_daemon_share_a_port)
{
	unsigned port = rig_free_port();
	struct resources *one, *all, *third;
	char more[100];

	configure_address("127.0.0.1", port, "");
	one = resources_new(r.d.conf, NULL, 2, &refusal);
	cr_assert(one, "%s", refusal.why);
	configure_address("", port, "");
	all = resources_new(r.d.conf, one, 2, &refusal);
	cr_assert(all, "%s", refusal.why);
	resources_free(&one);
	configure_address("127.0.0.1", port, "");
	third = resources_new(r.d.conf, all, 2, &refusal);
	cr_expect(third, "%s", refusal.why);
	resources_free(&all);
	resources_free(&third);
	snprintf(more, sizeof more, ", { address = \"0.0.0.0\"; port = %u; tls = \"implicit\"; }",
	    port);
	configure_address("127.0.0.1", port, more);
	one = resources_new(r.d.conf, NULL, 2, &refusal);
	cr_expect(one, "both in one configuration: %s", refusal.why);
	resources_free(&one);
}

/* A socket of another daemon of the same user: the kernel would allow to share its port. */
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
expect_refused(const struct resources *before, const char *address, unsigned port)
{
	struct resources *o = resources_new(r.d.conf, before, 2, &refusal);
	char wanted[100];

	cr_expect_null(o);
	snprintf(wanted, sizeof wanted, "listen: cannot listen on %s port %u", address, port);
	cr_expect(strstr(refusal.why, wanted) &&
	        strstr(refusal.why, "in use: another process listens there"),
	    "%s", refusal.why);
	resources_free(&o);
}

/* Only another process is reported, not one that has ended and not this one. */
Test(resources, the_process_that_uses_a_port_is_reported)
{
	static const char *const others[] = {"127.0.0.1", "0.0.0.0"};
	struct conf_listen l = {.address = STR("127.0.0.1"), .port = rig_free_port()};
	struct port_holder h;
	int ready[2];
	char c;

	cr_expect(!port_holder_find(&l, &h));
	close(listen_as_another("127.0.0.1", (unsigned)l.port));
	for (size_t n = 0; n < 2; n++) {
		pid_t pid;

		cr_assert_eq(pipe(ready), 0);
		pid = fork();
		if (pid == 0) {
			(void)!listen_as_another(others[n], (unsigned)l.port);
			(void)!write(ready[1], "x", 1);
			pause();
			_exit(0);
		}
		cr_assert_eq(read(ready[0], &c, 1), 1);
		cr_expect(port_holder_find(&l, &h), "%s", others[n]);
		cr_expect(
		    h.pid == pid && h.uid == getuid() && h.name[0], "%d, %s", (int)h.pid, h.name);
		l.address = STR("127.0.0.2");
		cr_expect_eq(port_holder_find(&l, &h), n == 1);
		l.address = STR("127.0.0.1");
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(ready[0]);
		close(ready[1]);
	}
	l.address = STR("");
	{
		int own = listen_as_another("127.0.0.1", (unsigned)l.port);

		cr_expect(!port_holder_find(&l, &h), "it is this process");
		close(own);
	}
}

/* Our own listener with the same port but another address does not occupy the port. */
Test(resources, the_process_at_the_overlapping_address_is_reported)
{
	unsigned port = rig_free_port();
	int other = listen_as_another("127.0.0.2", port);
	struct resources *one, *both;
	char more[100];

	snprintf(more, sizeof more,
	    ", { address = \"127.0.0.2\"; port = %u; tls = \"implicit\"; }", port);
	configure_address("127.0.0.1", port, more);
	expect_refused(NULL, "127.0.0.2", port);
	configure_address("127.0.0.1", port, "");
	one = resources_new(r.d.conf, NULL, 2, &refusal);
	cr_assert(one, "%s", refusal.why);
	configure_address("127.0.0.2", port, "");
	expect_refused(one, "127.0.0.2", port);
	configure_address("127.0.0.1", port, more);
	expect_refused(one, "127.0.0.2", port);
	close(other);
	both = resources_new(r.d.conf, one, 2, &refusal);
	cr_expect(both, "%s", refusal.why);
	resources_free(&both);
	resources_free(&one);
}

/* Listeners that have no address in common do not share a port. */
Test(resources, families_do_not_overlap)
{
	unsigned port = rig_free_port();
	struct resources *one;
	int other;

	configure_address("::", port, "");
	one = resources_new(r.d.conf, NULL, 2, &refusal);
	if (!one)
		cr_skip_test("no IPv6");
	other = listen_as_another("127.0.0.1", port);
	configure_address("127.0.0.1", port, "");
	expect_refused(one, "127.0.0.1", port);
	close(other);
	resources_free(&one);
}

/* A path that is not a regular file does not block main, and is reported by its name. */
Test(resources, pipes_in_place_of_files_are_refused, .timeout = 20)
{
	struct str *const named[] = {
	    &r.d.conf->dns.hosts_file, &r.d.conf->dns.resolv_conf, &r.d.conf->dns.trust_anchor};
	struct resources *before = resources_new(r.d.conf, NULL, 1, &refusal);
	char path[100];

	snprintf(path, sizeof path, "%s/pipe", r.directory);
	cr_assert_eq(mkfifo(path, 0600), 0);
	for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
		struct str file = *named[i];
		struct resources *o;

		*named[i] = str_of(path);
		refusal.why[0] = 0;
		o = resources_new(r.d.conf, before, 1, &refusal);
		*named[i] = file;
		cr_expect_null(o, "%.*s", STR_ARG(file));
		cr_expect(
		    strstr(refusal.why, path) && strstr(refusal.why, "It is not a regular file"),
		    "%.*s: %s", STR_ARG(file), refusal.why);
		resources_free(&o);
	}
	resources_free(&before);
}

/* The kernel distributes connections to the sockets of all submission processes. */
Test(resources, processes_share_a_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	unsigned port = rig_free_port(), got[2] = {0};
	int clients[64];
	struct resources *o;

	configure_ports(port, rig_free_port());
	o = resources_new(r.d.conf, NULL, 2, &refusal);
	cr_assert(o, "%s", refusal.why);
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
	resources_free(&o);
}

static void
offer_path(char out[100], const char *name)
{
	snprintf(out, 100, "%s/%s", r.directory, name);
}

/* Without any usable certificate a start is refused, as a reload is, with the place of the key that
 * names the file. */
Test(resources, missing_files_refuse_a_start)
{
	struct resources *before = resources_new(r.d.conf, NULL, 1, &refusal);
	char path[100];

	offer_path(path, "tls.crt");
	cr_assert(before, "%s", refusal.why);
	unlink(path);
	for (int is_reload = 1; is_reload >= 0; is_reload--) {
		refusal = (struct resources_refusal){0};
		cr_expect_null(resources_new(r.d.conf, before, 1, &refusal));
		resources_free(&before);
		cr_expect_eq(refusal.status, EXIT_CONFIG);
		cr_expect(strstr(refusal.why, "sallyport.cfg:2: error: tls.certificate: "), "%s",
		    refusal.why);
		cr_expect(strstr(refusal.why, "tls.crt: No such file"), "%s", refusal.why);
	}
}

Test(resources, certificates_are_renewed_together)
{
	char crt[100], key[100];
	struct resources *o = resources_new(r.d.conf, NULL, 1, &refusal);
	unsigned open_count = rig_descriptors();
	ino_t former = inode(file_of(o, GRANT_CERTIFICATE)->fd);

	offer_path(crt, "tls.crt");
	offer_path(key, "tls.key");
	unlink(crt);
	rig_write(crt, rig_certificates[1]);
	cr_expect(!resources_renew_certificates(o, &refusal), "the key is not there yet");
	cr_expect(strstr(refusal.why, "tls.key: is not the key of the certificate in "), "%s",
	    refusal.why);
	cr_expect_eq(inode(file_of(o, GRANT_CERTIFICATE)->fd), former, "the former one stays");
	cr_expect_eq(rig_descriptors(), open_count);
	unlink(key);
	cr_expect(!resources_renew_certificates(o, &refusal), "nor now");
	cr_expect(strstr(refusal.why, "error: tls.private_key: "), "%s", refusal.why);
	rig_write(key, rig_keys[1]);
	cr_expect(resources_renew_certificates(o, &refusal), "%s", refusal.why);
	cr_expect_neq(inode(file_of(o, GRANT_CERTIFICATE)->fd), former);
	cr_expect_str_eq(o->tls->pair[0].facts.names, "mail.example.com");
	cr_expect_eq(rig_descriptors(), open_count);
	resources_free(&o);
}

/* At a start an unusable certificate is left out if another one is usable; at a reload a
 * certificate in use must stay usable. */
Test(resources, one_unusable_certificate_of_two)
{
	char crt[100], extra[1000];
	struct resources *o, *next;

	offer_path(crt, "second.crt");
	rig_write(crt, "no certificate");
	snprintf(extra, sizeof extra,
	    "tls: ( { certificate = \"%s/tls.crt\"; private_key = \"%s/tls.key\"; },"
	    " { certificate = \"%s\"; private_key = \"%s/tls.key\"; } );",
	    r.directory, r.directory, crt, r.directory);
	rig_configure_tls(&r, extra);
	o = resources_new(r.d.conf, NULL, 1, &refusal);
	cr_assert(o, "%s", refusal.why);
	cr_expect(resources_has_certificate(o));
	cr_expect_eq(o->files[2].fd >= 0, true, "the first certificate");
	cr_expect(o->files[1].fd < 0 && o->files[3].fd < 0, "the second pair");
	next = resources_new(r.d.conf, o, 1, &refusal);
	cr_expect(next, "what was left out is no reason: %s", refusal.why);
	resources_free(&next);
	rig_write(crt, rig_certificates[0]);
	cr_assert(resources_renew_certificates(o, &refusal), "%s", refusal.why);
	cr_expect(o->files[1].fd >= 0 && o->files[3].fd >= 0);
	rig_write(crt, "no certificate");
	cr_expect(!resources_renew_certificates(o, &refusal));
	cr_expect_null(resources_new(r.d.conf, o, 1, &refusal));
	cr_expect_eq(refusal.status, EXIT_CONFIG);
	resources_free(&o);
}

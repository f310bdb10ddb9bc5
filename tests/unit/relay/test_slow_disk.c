/* Bodies on a disk that does not answer, or that cannot be read: no host is blamed, no other host
 * is tried, and a transfer that only waits for a short time goes on. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/relay/rig.h"
#include "unit/relay/slow_disk.h"

atomic_bool disk_is_stalled;
atomic_int disk_read_error;

ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at);
ssize_t __real_pread(int fd, void *p, size_t n, off_t at);

ssize_t
__wrap_pread(int fd, void *p, size_t n, off_t at)
{
	while (disk_is_stalled)
		usleep(1000);
	errno = disk_read_error;
	return errno ? -1 : __real_pread(fd, p, n, at);
}

static unsigned
open_body_count(void)
{
	DIR *d = opendir("/proc/self/fd");
	char path[300], name[64];
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d))) {
		snprintf(path, sizeof path, "/proc/self/fd/%s", e->d_name);
		memset(name, 0, sizeof name);
		n += readlink(path, name, sizeof name - 1) > 0 && strstr(name, "memfd:body");
	}
	closedir(d);
	return n;
}

static void
deliver_large(struct rig *r, uint64_t attempt_id, bool has_facts)
{
	rig_deliver(r, &(struct rig_mail){.attempt_id = attempt_id, .domain = "host.test",
	                   .to = {"bob@host.test"}, .file_bytes = 200704, .has_facts = has_facts});
}

/* The body files of attempts that have ended wait to be closed, and there is a limit for them. */
Test(relay_slow_disk, files_that_wait_to_be_closed_are_limited, .timeout = 60)
{
	enum { BOUND = 10 + 64, ATTEMPTS = 100, SMALL = 1000 };
	struct rig *r = rig_new("hostname = \"gw.example.com\"; queue: { concurrency = 10; };\n"
	    "routes: ( { via = \"smtp\"; host = \"127.0.0.1\"; port = 1; } );\n");

	disk_is_stalled = true;
	for (uint64_t attempt_id = 1; attempt_id <= ATTEMPTS; attempt_id++) {
		struct message_cancel cancel = {.attempt_id = attempt_id};

		deliver_large(r, attempt_id, false);
		cr_assert_eq(channel_send(r->queue, MESSAGE_CANCEL, &cancel, -1), 0);
		cr_assert(rig_wait(r, attempt_id));
		rig_result_is(&r->results[attempt_id - 1], 451, "local");
		cr_expect(r->results[attempt_id - 1].is_last);
	}
	cr_expect_eq(open_body_count(), BOUND, "%u files", open_body_count());
	rig_deliver(r, &(struct rig_mail){
	                   .attempt_id = SMALL, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, ATTEMPTS + 1));
	rig_result_is(&r->results[ATTEMPTS], 451, "connect");
	disk_is_stalled = false;
	for (int i = 0; i < 5000 && open_body_count(); i++)
		rig_idle(r, 2);
	cr_expect_eq(open_body_count(), 0);
	deliver_large(r, SMALL + 1, false);
	cr_assert(rig_wait(r, ATTEMPTS + 2));
	rig_result_is(&r->results[ATTEMPTS + 1], 451, "connect");
	rig_free(&r);
}

/* ---- a host with a timeout ---- */

/* Takes mail.  When no content comes for some time, it sends a last reply and closes. */
struct host {
	int fd;
	unsigned timeout_ms; /* while it waits for content after 354; 0: none */
	const char *last_reply; /* NULL: no reply */
	atomic_uint connections, messages;
};

/* False: the host has closed the connection. */
static bool
receive_content(struct host *host, int fd)
{
	struct timeval tv = {host->timeout_ms / 1000, host->timeout_ms % 1000 * 1000};
	char last[5] = "", block[4096];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	while ((n = recv(fd, block, sizeof block, 0)) > 0) {
		for (ssize_t i = n > 5 ? n - 5 : 0; i < n; i++) {
			memmove(last, last + 1, 4);
			last[4] = block[i];
		}
		if (memcmp(last, "\r\n.\r\n", 5) == 0) {
			host->messages++;
			return true;
		}
	}
	if (host->last_reply)
		(void)!send(fd, host->last_reply, strlen(host->last_reply), MSG_NOSIGNAL);
	return false;
}

static void
serve_connection(struct host *host, int fd)
{
	const char *answer = "220 host.test\r\n";
	char line[1000];
	size_t n = 0;

	for (;;) {
		(void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
		for (n = 0; n < sizeof line && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n';
		     n++)
			;
		if (n == 0 || n == sizeof line || line[n] != '\n')
			break;
		answer = "250 ok\r\n";
		if (strncmp(line, "DATA", 4) != 0)
			continue;
		(void)!send(fd, "354 go\r\n", 8, MSG_NOSIGNAL);
		if (!receive_content(host, fd))
			break;
	}
	close(fd);
}

static void *
serve(void *arg)
{
	struct host *host = arg;
	int fd;

	while ((fd = accept(host->fd, NULL, NULL)) >= 0) {
		host->connections++;
		serve_connection(host, fd);
	}
	return NULL;
}

static struct rig *
rig_against(struct host *host, const char *timeouts)
{
	pthread_t thread;
	char conf[400];
	unsigned port;

	host->fd = rig_listen(&port);
	cr_assert_eq(pthread_create(&thread, NULL, serve, host), 0);
	pthread_detach(thread);
	snprintf(conf, sizeof conf,
	    "hostname = \"gw.example.com\";\ntimeouts: { %s };\n"
	    "routes: ( { via = \"smtp\"; host = \"127.0.0.1\"; port = %u; } );\n",
	    timeouts, port);
	return rig_new(conf);
}

/* Sends a small message, so that the large one after it uses the idle connection. */
static void
deliver_small(struct rig *r)
{
	size_t before = r->result_count;

	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, before + 1));
	rig_result_is(&r->results[before], 250, "none");
}

static void
expect_local_failure(struct rig *r, struct host *host, unsigned connections)
{
	size_t at = r->result_count;

	cr_assert(rig_wait(r, at + 1), "no end");
	rig_result_is(&r->results[at], 451, "local");
	cr_expect(r->results[at].is_last);
	cr_expect_not(r->results[at].status.is_remote);
	rig_idle(r, 300);
	cr_expect_eq(host->connections, connections, "%u connections", host->connections);
	disk_is_stalled = false;
	rig_free(&r);
}

/* timeouts.attempt ends when the host has accepted the envelope; timeouts.body holds while a block
 * is read. */
Test(relay_slow_disk, a_transfer_that_waits_for_a_block_goes_on, .timeout = 60)
{
	static struct host host;
	struct rig *r = rig_against(&host, "attempt = \"1s\"; body = \"60s\";");

	disk_is_stalled = true;
	deliver_large(r, 1, true);
	rig_idle(r, 2500);
	cr_assert_eq(r->result_count, 0);
	cr_assert_eq(host.connections, 1);
	disk_is_stalled = false;
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 250, "none");
	cr_expect_eq(host.messages, 1);
	rig_free(&r);
}

Test(relay_slow_disk, a_block_has_the_time_of_timeouts_body, .timeout = 60)
{
	static struct host host;
	struct rig *r = rig_against(&host, "attempt = \"60s\"; body = \"2s\";");
	int64_t began_ms = clock_mono_ms();

	disk_is_stalled = true;
	deliver_large(r, 1, true);
	expect_local_failure(r, &host, 1);
	cr_expect_geq(clock_mono_ms() - began_ms, 2000);
}

/* On an idle connection and on a new one: no further connection is opened for content that cannot
 * be sent. */
Test(relay_slow_disk, a_host_that_closes_is_not_blamed, .timeout = 60)
{
	static struct host hosts[] = {
	    {.timeout_ms = 1500},
	    {.timeout_ms = 1500, .last_reply = "421 4.4.2 timeout\r\n"},
	    {.timeout_ms = 1500, .last_reply = "451 4.4.2 timeout\r\n"},
	    {.timeout_ms = 1500, .last_reply = "554 5.4.2 timeout\r\n"},
	};

	for (size_t i = 0; i < 2 * sizeof hosts / sizeof *hosts; i++) {
		static struct host host;
		struct rig *r;

		host = hosts[i / 2];
		r = rig_against(&host, "body = \"60s\";");
		if (i % 2)
			deliver_small(r);
		disk_is_stalled = true;
		deliver_large(r, 2, true);
		expect_local_failure(r, &host, 1);
		close(host.fd);
	}
}

/* The queue ends the attempt because of the disk: while the host waits for a block, and before a
 * host was contacted. */
Test(relay_slow_disk, one_is_cancelled, .timeout = 60)
{
	for (unsigned has_facts = 0; has_facts < 2; has_facts++) {
		static struct host host;
		struct rig *r = rig_against(&host, "body = \"60s\";");
		struct message_cancel m = {.attempt_id = 1, .is_forced = true};

		disk_is_stalled = true;
		deliver_large(r, 1, has_facts);
		rig_idle(r, 1500);
		cr_assert_eq(channel_send(r->queue, MESSAGE_CANCEL, &m, -1), 0);
		expect_local_failure(r, &host, has_facts);
		close(host.fd);
	}
}

Test(relay_slow_disk, a_body_that_cannot_be_read_is_sent_to_no_other_host, .timeout = 60)
{
	static struct host host;
	struct rig *r = rig_against(&host, "body = \"60s\";");

	deliver_small(r);
	disk_read_error = EIO;
	deliver_large(r, 2, true);
	expect_local_failure(r, &host, 1);
}

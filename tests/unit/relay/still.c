/* Bodies whose disk stands still or cannot be read: no host is blamed, no other host is tried, and
 * a transfer that only waits for a moment goes on. */
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
#include "unit/relay/still.h"

atomic_bool still_is_on;
atomic_int still_read_error;

ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at);
ssize_t __real_pread(int fd, void *p, size_t n, off_t at);

ssize_t
__wrap_pread(int fd, void *p, size_t n, off_t at)
{
	while (still_is_on)
		usleep(1000);
	errno = still_read_error;
	return errno ? -1 : __real_pread(fd, p, n, at);
}

static unsigned
bodies_open(void)
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
deliver_large(struct rig *r, uint64_t job, bool has_facts)
{
	rig_deliver(r, &(struct rig_mail){.job = job, .domain = "host.test",
	                   .to = {"bob@host.test"}, .file_bytes = 200704, .has_facts = has_facts});
}

/* The files of jobs that ended meanwhile wait to be closed: they have a bound. */
Test(relay_still, files_that_wait_to_be_closed_have_a_bound, .timeout = 60)
{
	enum { BOUND = 10 + 64, JOBS = 100, SMALL = 1000 };
	struct rig *r = rig_new("hostname = \"gw.example.com\"; queue: { concurrency = 10; };\n"
	    "routes: ( { via = \"smtp\"; host = \"127.0.0.1\"; port = 1; } );\n");

	still_is_on = true;
	for (uint64_t job = 1; job <= JOBS; job++) {
		struct message_cancel cancel = {.job = job};

		deliver_large(r, job, false);
		cr_assert_eq(channel_send(r->queue, MESSAGE_CANCEL, &cancel, -1), 0);
		cr_assert(rig_wait(r, job));
		rig_result_is(&r->results[job - 1], 451, "local");
		cr_expect(r->results[job - 1].is_last);
	}
	cr_expect_eq(bodies_open(), BOUND, "%u files", bodies_open());
	rig_deliver(r,
	    &(struct rig_mail){.job = SMALL, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, JOBS + 1));
	rig_result_is(&r->results[JOBS], 451, "connect");
	still_is_on = false;
	for (int i = 0; i < 5000 && bodies_open(); i++)
		rig_idle(r, 2);
	cr_expect_eq(bodies_open(), 0);
	deliver_large(r, SMALL + 1, false);
	cr_assert(rig_wait(r, JOBS + 2));
	rig_result_is(&r->results[JOBS + 1], 451, "connect");
	rig_free(&r);
}

/* ---- a host that loses patience ---- */

/* Takes mail; while a body is on its way it says something after a while, and closes. */
struct host {
	int fd;
	unsigned patience_ms; /* with a client that sends nothing, after 354; 0: endless */
	const char *farewell; /* NULL: not a word */
	atomic_uint connections, messages;
};

/* False: the host has closed. */
static bool
content_is_taken(struct host *h, int fd)
{
	struct timeval tv = {h->patience_ms / 1000, h->patience_ms % 1000 * 1000};
	char last[5] = "", block[4096];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	while ((n = recv(fd, block, sizeof block, 0)) > 0) {
		for (ssize_t i = n > 5 ? n - 5 : 0; i < n; i++) {
			memmove(last, last + 1, 4);
			last[4] = block[i];
		}
		if (memcmp(last, "\r\n.\r\n", 5) == 0) {
			h->messages++;
			return true;
		}
	}
	if (h->farewell)
		(void)!send(fd, h->farewell, strlen(h->farewell), MSG_NOSIGNAL);
	return false;
}

static void
talk_to(struct host *h, int fd)
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
		if (!content_is_taken(h, fd))
			break;
	}
	close(fd);
}

static void *
serve(void *arg)
{
	struct host *h = arg;
	int fd;

	while ((fd = accept(h->fd, NULL, NULL)) >= 0) {
		h->connections++;
		talk_to(h, fd);
	}
	return NULL;
}

static struct rig *
rig_against(struct host *h, const char *timeouts)
{
	pthread_t thread;
	char conf[400];
	unsigned port;

	h->fd = rig_listen(&port);
	cr_assert_eq(pthread_create(&thread, NULL, serve, h), 0);
	pthread_detach(thread);
	snprintf(conf, sizeof conf,
	    "hostname = \"gw.example.com\";\ntimeouts: { %s };\n"
	    "routes: ( { via = \"smtp\"; host = \"127.0.0.1\"; port = %u; } );\n",
	    timeouts, port);
	return rig_new(conf);
}

/* A small message, so that the large one after it finds a connection that stands. */
static void
deliver_small(struct rig *r)
{
	size_t before = r->result_count;

	rig_deliver(
	    r, &(struct rig_mail){.job = 1, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, before + 1));
	rig_result_is(&r->results[before], 250, "none");
}

static void
ends_for_want_of_content(struct rig *r, struct host *h, unsigned connections)
{
	size_t at = r->result_count;

	cr_assert(rig_wait(r, at + 1), "no end");
	rig_result_is(&r->results[at], 451, "local");
	cr_expect(r->results[at].is_last);
	cr_expect_not(r->results[at].status.is_remote);
	rig_idle(r, 300);
	cr_expect_eq(h->connections, connections, "%u connections", h->connections);
	still_is_on = false;
	rig_free(&r);
}

/* timeouts.attempt counts until a host takes the envelope, timeouts.body while a block is read. */
Test(relay_still, a_transfer_that_waits_for_a_block_goes_on, .timeout = 60)
{
	static struct host host;
	struct rig *r = rig_against(&host, "attempt = \"1s\"; body = \"60s\";");

	still_is_on = true;
	deliver_large(r, 1, true);
	rig_idle(r, 2500);
	cr_assert_eq(r->result_count, 0);
	cr_assert_eq(host.connections, 1);
	still_is_on = false;
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 250, "none");
	cr_expect_eq(host.messages, 1);
	rig_free(&r);
}

Test(relay_still, timeouts_body_is_its_limit, .timeout = 60)
{
	static struct host host;
	struct rig *r = rig_against(&host, "attempt = \"60s\"; body = \"2s\";");
	int64_t began_ms = clock_mono_ms();

	still_is_on = true;
	deliver_large(r, 1, true);
	ends_for_want_of_content(r, &host, 1);
	cr_expect_geq(clock_mono_ms() - began_ms, 2000);
}

/* On a connection that stands, and on a new one: no other is opened for what cannot be sent. */
Test(relay_still, a_host_that_closes_is_not_blamed, .timeout = 60)
{
	static struct host hosts[] = {
	    {.patience_ms = 1500},
	    {.patience_ms = 1500, .farewell = "421 4.4.2 timeout\r\n"},
	    {.patience_ms = 1500, .farewell = "451 4.4.2 timeout\r\n"},
	    {.patience_ms = 1500, .farewell = "554 5.4.2 timeout\r\n"},
	};

	for (size_t i = 0; i < 2 * sizeof hosts / sizeof *hosts; i++) {
		static struct host host;
		struct rig *r;

		host = hosts[i / 2];
		r = rig_against(&host, "body = \"60s\";");
		if (i % 2)
			deliver_small(r);
		still_is_on = true;
		deliver_large(r, 2, true);
		ends_for_want_of_content(r, &host, 1);
		close(host.fd);
	}
}

/* The queue ends the job, which is the disk's fault: while the host waits for a block, and before a
 * host was asked. */
Test(relay_still, one_is_cancelled, .timeout = 60)
{
	for (unsigned has_facts = 0; has_facts < 2; has_facts++) {
		static struct host host;
		struct rig *r = rig_against(&host, "body = \"60s\";");
		struct message_cancel m = {.job = 1, .is_forced = true};

		still_is_on = true;
		deliver_large(r, 1, has_facts);
		rig_idle(r, 1500);
		cr_assert_eq(channel_send(r->queue, MESSAGE_CANCEL, &m, -1), 0);
		ends_for_want_of_content(r, &host, has_facts);
		close(host.fd);
	}
}

Test(relay_still, one_that_cannot_be_read_is_sent_to_no_other_host, .timeout = 60)
{
	static struct host host;
	struct rig *r = rig_against(&host, "body = \"60s\";");

	deliver_small(r);
	still_read_error = EIO;
	deliver_large(r, 2, true);
	ends_for_want_of_content(r, &host, 1);
}

/* client_counts: the table of clients over several processes. session: the memory of an idle
 * session. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/read.h"
#include "submission/client_counts.h"
#include "submission/session.h"

static int
table(void)
{
	int fd = memfd_create("clients", MFD_CLOEXEC);

	cr_assert_eq(ftruncate(fd, (off_t)client_counts_bytes()), 0);
	return fd;
}

static const struct str network = {"\xcb\x00\x71\x07", 4},
			other_network = {"\x20\x01\x0d\xb8\x00\x00\x00\x01", 8};

Test(clients, are_counted_up_to_the_limit)
{
	int fd = table();
	struct client_counts *c = client_counts_open(fd, 3);

	cr_assert(c);
	cr_assert_eq(client_counts_total(fd), 0);
	for (int i = 0; i < 5; i++)
		cr_assert(client_counts_add(c, network, 5));
	cr_assert(!client_counts_add(c, network, 5));
	cr_assert(!client_counts_add(c, network, 5), "a refusal was counted");
	cr_assert(client_counts_add(c, other_network, 5));
	client_counts_remove(c, network);
	cr_assert(client_counts_add(c, network, 5));
	cr_assert(!client_counts_add(c, network, 5));
	cr_assert_eq(client_counts_total(fd), client_counts_sessions(c));
	cr_assert_eq(client_counts_total(fd), 6);
	client_counts_close(&c);
	cr_assert_null(c);
}

Test(clients, a_bad_region_or_descriptor_is_refused)
{
	cr_assert_null(client_counts_open(table(), CLIENT_COUNTS_REGIONS));
	cr_assert_null(client_counts_open(-1, 0));
}

/* Each of four processes adds as many clients as it may: together no more than the limit. */
Test(clients, are_bounded_across_processes)
{
	enum { PROCESSES = 4, LIMIT = 50 };
	int fd = table(), report[2], total = 0;
	pid_t pids[PROCESSES];
	struct client_counts *counts = client_counts_open(fd, 60);

	cr_assert_eq(pipe(report), 0);
	for (unsigned p = 0; p < PROCESSES; p++) {
		pids[p] = fork();
		if (pids[p] == 0) {
			struct client_counts *c = client_counts_open(fd, p);
			int accepted = 0;

			for (int i = 0; i < 40; i++)
				accepted += client_counts_add(c, network, LIMIT);
			(void)!write(report[1], &accepted, sizeof accepted);
			_exit(0);
		}
		waitpid(pids[p], NULL, 0);
	}
	for (unsigned p = 0; p < PROCESSES; p++) {
		int accepted;

		cr_assert_eq(read(report[0], &accepted, sizeof accepted), (ssize_t)sizeof accepted);
		total += accepted;
	}
	cr_assert_eq(total, LIMIT);
	cr_assert(!client_counts_add(counts, network, LIMIT));
	/* they ended without removing their clients: main wipes their regions */
	for (unsigned p = 0; p < PROCESSES; p++)
		client_counts_wipe(fd, p);
	cr_assert(client_counts_add(counts, network, 1));
	client_counts_close(&counts);
}

/* Processes that add at the same time may refuse too many, but never accept too many. */
Test(clients, concurrent_processes_never_exceed_the_limit)
{
	enum { PROCESSES = 4, LIMIT = 100, ROUNDS = 20000 };
	int fd = table(), status, failures = 0;
	pid_t pids[PROCESSES];
	struct client_counts *all = client_counts_open(fd, 63);

	for (unsigned p = 0; p < PROCESSES; p++) {
		pids[p] = fork();
		if (pids[p] == 0) {
			struct client_counts *c = client_counts_open(fd, p);

			for (int i = 0; i < ROUNDS; i++)
				if (client_counts_add(c, network, LIMIT))
					client_counts_remove(c, network);
			_exit(0);
		}
	}
	for (unsigned p = 0; p < PROCESSES; p++) {
		waitpid(pids[p], &status, 0);
		failures += status != 0;
	}
	cr_assert_eq(failures, 0);
	for (int i = 0; i < LIMIT; i++)
		cr_assert(client_counts_add(all, network, LIMIT), "%d left behind", LIMIT - i);
	client_counts_close(&all);
}

/* ---- memory ---- */

static int64_t
any_ms(void *arg)
{
	(void)arg;
	return 1000;
}

static void
any_deadline(void *arg, int64_t at_ms)
{
	(void)arg;
	(void)at_ms;
}

static bool
start_auth(void *arg, const struct message_auth_start *m)
{
	(void)arg;
	(void)m;
	return true;
}

Test(session, is_small_when_idle)
{
	enum { SESSIONS = 200, BYTES_EACH = 2048 };
	static const struct session_services services = {.now_ms = any_ms, .mono_ms = any_ms,
	    .deadline = any_deadline, .start_auth = start_auth};
	struct message_auth_answer accepted = {
	    .outcome = AUTH_OK, .user = STR("alice@example.com")};
	struct session *sessions[SESSIONS];
	struct conf_report report;
	struct session_setup setup = {
	    .services = &services, .client = "203.0.113.7", .is_implicit_tls = true};
	size_t before, used;

	conf_report_init(&report);
	setup.conf = conf_read_text(STR("hostname = \"mail.example.com\";"
	    "domains = ( { name = \"example.com\"; } );"), &report);
	conf_report_clear(&report);
	before = mallinfo2().uordblks;
	for (int i = 0; i < SESSIONS; i++) {
		struct session *s = sessions[i] = session_new(&setup);

		session_begin(s);
		session_secured(s, "TLSv1.3", false);
		session_take(s, STR("EHLO x\r\n"), &used);
		cr_assert(!session_had_secret(s));
		session_take(s, STR("AUTH PLAIN AGEAYg==\r\n"), &used);
		cr_assert(session_had_secret(s));
		cr_assert_eq(session_auth_answer(s, &accepted), SESSION_NEXT);
		buf_clear(session_out(s));
	}
	used = mallinfo2().uordblks - before;
	cr_expect_lt(used / SESSIONS, BYTES_EACH, "%zu bytes each", used / SESSIONS);
	for (int i = 0; i < SESSIONS; i++)
		session_free(&sessions[i]);
	conf_drop(&setup.conf);
}

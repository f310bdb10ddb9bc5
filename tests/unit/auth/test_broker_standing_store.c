/* The store of the accounts does not answer, or its worker answers wrongly: this costs the logins
 * that need the store, for a bounded time, and nothing else. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth_backend.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "support/ask.h"
#include "unit/auth/rig.h"

/* A request may take a second, and three more for the store to be opened. */
#define SHORT_STEP HIGH_LIMIT "step_timeout = \"1s\";"

enum { DEADLINE_MS = 4000, SPARE_MS = 10000, POLLS_MAX = 300, POLL_US = 100000 };

static const char *alice[][2] = {{"name", "alice@example.com"}, {"reason", "phished"}, {NULL, NULL}};

/* The CPU time of a process, in clock ticks. */
static long
ticks_of(pid_t pid)
{
	char path[64], text[1024];
	unsigned long user = 0, system = 0;
	const char *after;
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	cr_assert_not_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = 0;
	after = strrchr(text, ')');
	cr_assert_not_null(after);
	cr_assert_eq(sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			 &system),
	    2);
	return (long)(user + system);
}

static void
end_and_replace(struct rig *r)
{
	rig_kill_accounts(r);
	rig_accounts(r);
}

/* The worker is stopped, as by a disk that does not answer: what needs no account goes on. */
Test(broker_standing_store, only_logins_that_need_it_are_refused, .timeout = 120)
{
	char text[METRICS_TROUBLE_TEXT_BYTES];
	int fd = metrics_create();
	const struct metrics_region *region = metrics_map(fd);
	struct str mallory = STR("\0mallory@example.com\0pirate");
	struct rig_answer a;
	struct rig_admin list;
	struct rig *r;
	int64_t began_ms;
	long ticks;

	cr_assert_eq(metrics_use(fd), 0);
	r = rig_with_alice(SHORT_STEP, 1);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	kill(r->accounts.pid, SIGSTOP);
	began_ms = clock_mono_ms();
	ticks = ticks_of(r->broker.pid);
	rig_start(r, 2, "PLAIN", &mallory, &a);
	cr_expect_eq(rig_login(r, 3, "PLAIN", GOOD), 235, "its password is in the cache");
	cr_expect_eq(rig_admin_named(r, "block.add", "192.0.2.0/24").exit_code, 0);
	list = rig_admin_done(r, "block.list", NULL);
	cr_expect(list.exit_code == 0 && list.rows == 1);
	cr_expect_not(a.is_done);
	for (int i = 0; i < 35 && !metrics_read_trouble(region, text)[0]; i++)
		usleep(POLL_US);
	cr_expect(strstr(text, "the worker of the accounts does not answer"), "before its end");
	rig_until(r, &a.is_done);
	cr_expect_eq(a.status.code, 454);
	cr_expect_eq(a.status.subject, 7);
	cr_expect_lt(clock_mono_ms() - began_ms, DEADLINE_MS + SPARE_MS);
	cr_expect_lt(ticks_of(r->broker.pid) - ticks, sysconf(_SC_CLK_TCK) / 4, "it spins");
	rig_until_count(r, &r->restarts, 1);
	cr_expect_eq(r->last_restart_role, ROLE_ACCOUNTS);
	cr_expect(strstr(metrics_read_trouble(region, text), "does not answer"), "'%s'", text);
	cr_expect_eq(rig_login(r, 4, "PLAIN", WRONG), 454, "at once: there is no worker");
	cr_expect_eq(rig_login(r, 5, "PLAIN", GOOD), 235);
	end_and_replace(r);
	cr_expect_eq(rig_login(r, 6, "PLAIN", WRONG), 535);
	cr_expect_eq(rig_login(r, 7, "SCRAM-SHA-256", STR("n,,n=alice,r=abc")), 334);
	for (int i = 0; i < POLLS_MAX && metrics_read_trouble(region, text)[0]; i++)
		usleep(POLL_US);
	cr_expect_str_eq(text, "");
	rig_free(&r);
}

/* It answers before the deadline: nobody notices but by the delay. */
Test(broker_standing_store, a_short_stand_is_only_a_delay, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	const char *resume[][2] = {{"name", "alice@example.com"}, {NULL, NULL}};
	struct rig_admin suspended, resumed, shown;
	struct str good = GOOD;
	struct rig_answer a;

	kill(r->accounts.pid, SIGSTOP);
	rig_start(r, 1, "PLAIN", &good, &a);
	rig_admin_begin(r, "user.suspend", alice, &suspended);
	rig_admin_begin(r, "user.resume", resume, &resumed);
	rig_admin_begin(r, "user.show", resume, &shown);
	usleep(POLL_US);
	kill(r->accounts.pid, SIGCONT);
	rig_until(r, &shown.is_done);
	cr_expect(suspended.is_done && resumed.is_done, "commands keep their order");
	cr_expect(suspended.exit_code == 0 && resumed.exit_code == 0 && shown.exit_code == 0);
	cr_expect(rig_row_has(&shown, "state", "active"));
	rig_until(r, &a.is_done);
	cr_expect_eq(a.status.code, 235);
	cr_expect_eq(r->restarts, 0);
	rig_free(&r);
}

/* A change that the worker had when it was ended may be stored; one that waited is not. */
Test(broker_standing_store, a_change_without_an_answer_is_unknown, .timeout = 60)
{
	struct rig *r = rig_with_alice(SHORT_STEP, 1);
	struct rig_admin first, second, shown;

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	kill(r->accounts.pid, SIGSTOP);
	rig_admin_begin(r, "user.suspend", alice, &first);
	rig_admin_begin(r, "user.remove", alice, &second);
	rig_until(r, &first.is_done);
	cr_expect_eq(first.exit_code, 74);
	cr_expect(strstr(first.text, "it is unknown whether the change is stored"), "%s", first.text);
	cr_expect(strstr(first.text, "user show"), "what to do: %s", first.text);
	rig_until(r, &second.is_done);
	cr_expect_eq(second.exit_code, 75);
	cr_expect(strstr(second.text, "nothing was changed"), "%s", second.text);
	cr_expect_eq(rig_login(r, 2, "PLAIN", GOOD), 454, "the cache does not outlive the change");
	end_and_replace(r);
	rig_admin(r, "user.show", alice, &shown);
	cr_expect_eq(shown.exit_code, 0);
	rig_free(&r);
}

/* The worker is killed between two requests: the cache holds if the store is the same. */
Test(broker_standing_store, a_new_worker_keeps_the_cache_of_the_same_store, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	char path[128], moved_path[128];
	struct str good = GOOD;
	struct rig_answer a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	end_and_replace(r);
	cr_assert_eq(rig_login(r, 2, "SCRAM-SHA-256", STR("n,,n=alice,r=abc")), 334);
	rig_start(r, 3, "PLAIN", &good, &a);
	rig_until(r, &a.is_done);
	cr_expect(a.status.code == 235 && a.from_cache);
	rig_kill_accounts(r);
	snprintf(path, sizeof path, "%s/accounts.db", r->directory);
	snprintf(moved_path, sizeof moved_path, "%s/away", r->directory);
	cr_assert_eq(rename(path, moved_path), 0);
	rig_store(r, "alice@example.com", "other", NULL);
	rig_accounts(r);
	cr_assert_eq(rig_login(r, 4, "SCRAM-SHA-256", STR("n,,n=alice,r=abc")), 334);
	cr_expect_eq(rig_login(r, 5, "PLAIN", GOOD), 535, "it is another store");
	unlink(moved_path);
	rig_free(&r);
}

/* ---- answers of the worker ---- */

static unsigned
login_with_answer(struct rig *r, uint64_t session, uint8_t result, const char *password)
{
	unsigned request = r->request_count;
	struct str good = GOOD;
	struct rig_answer a;

	rig_start(r, session, "PLAIN", &good, &a);
	rig_until_count(r, &r->request_count, request + 1);
	cr_assert_str_eq(r->requests[request].name, "alice@example.com");
	rig_answer_account(r, request, result, password);
	rig_until(r, &a.is_done);
	return a.status.code;
}

Test(broker_standing_store, an_error_is_never_an_absence, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1h\"; cache = \"0s\";", 1);

	rig_fake_accounts(r);
	cr_expect_eq(login_with_answer(r, 1, AUTH_BACKEND_BROKEN, NULL), 454);
	cr_expect_eq(login_with_answer(r, 2, AUTH_BACKEND_DAMAGED, NULL), 454);
	cr_expect_eq(login_with_answer(r, 3, AUTH_BACKEND_FOUND, "wonderland"), 235, "none counted");
	cr_expect_eq(login_with_answer(r, 4, AUTH_BACKEND_NONE, "other"), 535);
	cr_expect_eq(r->restarts, 0);
	rig_free(&r);
}

/* Each is answered with 454, and the worker is replaced. */
Test(broker_standing_store, invalid_answers_replace_the_worker, .timeout = 60)
{
	struct message_status wrong = {.status = smtp_status_make(250, NULL, "ok")};
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	struct str good = GOOD;
	struct rig_answer a;

	for (unsigned i = 0; i < 5; i++) {
		rig_fake_accounts(r);
		rig_start(r, 1 + i, "PLAIN", &good, &a);
		rig_until_count(r, &r->request_count, i + 1);
		if (i == 0) /* a result that does not exist */
			rig_answer_account(r, i, 99, NULL);
		else if (i == 1) /* an account without a secret */
			rig_answer_account(r, i, AUTH_BACKEND_FOUND, NULL);
		else if (i == 2) /* a secret of an account that is broken */
			rig_answer_account(r, i, AUTH_BACKEND_BROKEN, "wonderland");
		else if (i == 3)
			cr_assert_eq(channel_answer(r->fake_accounts, r->requests[i].call,
					 MESSAGE_STATUS, &wrong, -1),
			    0);
		else
			channel_refuse(r->fake_accounts, r->requests[i].call);
		rig_until(r, &a.is_done);
		cr_expect_eq(a.status.code, 454, "case %u", i);
		rig_until_count(r, &r->restarts, i + 1);
		cr_expect_eq(r->last_restart_role, ROLE_ACCOUNTS);
	}
	rig_free(&r);
}

/* The name that was found is not one that the login means. */
Test(broker_standing_store, another_name_is_not_accepted, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	struct str good = GOOD;
	struct rig_answer a;

	rig_fake_accounts(r);
	rig_start(r, 1, "PLAIN", &good, &a);
	rig_until_count(r, &r->request_count, 1);
	snprintf(r->requests[0].name, sizeof r->requests[0].name, "bob@example.com");
	rig_answer_account(r, 0, AUTH_BACKEND_FOUND, "wonderland");
	rig_until(r, &a.is_done);
	cr_expect_eq(a.status.code, 454);
	rig_free(&r);
}

/* The client is gone when its answer comes; a second answer to one request finds nobody. */
Test(broker_standing_store, answers_that_nobody_waits_for_are_dropped, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT "cache = \"0s\";", 1);
	struct str good = GOOD;
	struct rig_answer gone, again;

	rig_fake_accounts(r);
	rig_start(r, 1, "PLAIN", &good, &gone);
	rig_until_count(r, &r->request_count, 1);
	rig_cancel(r, 1);
	rig_start(r, 2, "PLAIN", &good, &again);
	rig_answer_account(r, 0, AUTH_BACKEND_NONE, "other");
	rig_answer_account(r, 0, AUTH_BACKEND_NONE, "other");
	rig_until_count(r, &r->request_count, 2);
	rig_answer_account(r, 1, AUTH_BACKEND_FOUND, "wonderland");
	rig_answer_account(r, 1, AUTH_BACKEND_NONE, "other");
	rig_until(r, &again.is_done);
	cr_expect_eq(again.status.code, 235);
	cr_expect_eq(login_with_answer(r, 3, AUTH_BACKEND_FOUND, "wonderland"), 235);
	cr_expect_eq(r->restarts, 0);
	rig_free(&r);
}

/* The channel is lost while one look-up is under way and another one waits. */
Test(broker_standing_store, a_lost_worker_fails_its_lookups, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	struct str good = GOOD;
	struct rig_answer first, second;

	rig_fake_accounts(r);
	rig_start(r, 1, "PLAIN", &good, &first);
	rig_start(r, 2, "PLAIN", &good, &second);
	rig_until_count(r, &r->request_count, 1);
	channel_free(&r->fake_accounts);
	rig_until(r, &first.is_done);
	rig_until(r, &second.is_done);
	cr_expect(first.status.code == 454 && second.status.code == 454);
	rig_accounts(r);
	cr_expect_eq(rig_login(r, 3, "PLAIN", GOOD), 235);
	rig_free(&r);
}

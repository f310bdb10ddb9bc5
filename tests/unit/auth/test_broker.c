/*
 * Logins through the broker and its workers, each in its own process and sandbox: the answers that
 * a client gets, and those that it must never get.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sasl/sasl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/ask.h"
#include "unit/auth/client.h"
#include "unit/auth/rig.h"

Test(broker, plain_uses_the_cache, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 2);
	struct rig_answer a;
	struct str good = GOOD;

	rig_start(r, 1, "PLAIN", &good, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 235);
	cr_assert_str_eq(a.user, "alice@example.com");
	cr_assert(!a.from_cache);
	good = STR("\0ALICE@example.com\0wonderland");
	rig_start(r, 2, "PLAIN", &good, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 235);
	cr_assert(a.from_cache);
	cr_assert_eq(rig_login(r, 3, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 4, "PLAIN", STR("bob\0alice@example.com\0wonderland")), 535,
	    "the cache refuses another identity too");
	rig_free(&r);
}

Test(broker, the_cache_needs_no_worker, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	kill(r->workers[0].pid, SIGSTOP);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 235);
	rig_free(&r);
}

Test(broker, prompts_are_sent, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	struct rig_answer a;

	rig_start(r, 1, "LOGIN", NULL, &a);
	rig_until(r, &a.is_done);
	cr_assert(str_eq(str_make(a.challenge, a.challenge_n), STR("Username:")));
	rig_step_expect(r, 1, STR("alice@example.com"), 0, "Password:");
	rig_step_expect(r, 1, STR("wonderland"), 235, NULL);

	cr_assert_eq(rig_login(r, 2, "LOGIN", STR("alice@example.com")), 334);
	rig_step_expect(r, 2, STR("x"), 535, NULL);

	rig_start(r, 3, "PLAIN", NULL, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.outcome, AUTH_CONTINUE);
	cr_assert_eq(a.challenge_n, 0);
	rig_cancel(r, 3);
	rig_step_expect(r, 3, GOOD, 454, NULL);
	cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235, "a new login works after the cancel");
	rig_free(&r);
}

/* ---- bad input ---- */

static const struct {
	const char *mechanism;
	struct str initial;
	unsigned code;
} bad[] = {
    {"PLAIN", STR(""), 501},
    {"PLAIN", STR("\0"), 501},
    {"PLAIN", STR("\0\0"), 501},
    {"PLAIN", STR("\0alice\0wonderland\0junk"), 501},
    {"PLAIN", STR("\0ali\r\nce\0x"), 501},
    {"LOGIN", STR(""), 501},
    {"LOGIN", STR("a\0b"), 501},
    {"SCRAM-SHA-256", STR("nonsense"), 501},
    {"SCRAM-SHA-256", STR("n,,n=alice=ZZ,r=abc"), 501},
    {"SCRAM-SHA-256", STR("y,,n=alice@example.com,r=abc"), 535},
    {"SCRAM-SHA-256-PLUS", STR("n,,n=alice@example.com,r=abc"), 535},
    {"PLAIN", STR("\0*)(uid=*\0x"), 535},
    {"PLAIN", STR("\0' OR '1'='1\0x"), 535},
    {"PLAIN", STR("\0../../etc/passwd\0x"), 535},
    {"PLAIN-PLUS", GOOD, 504},
    {"plain", GOOD, 504},
    {"CRAM-MD5", STR(""), 504},
    {"", GOOD, 504},
};

Test(broker, bad_input_is_refused, .timeout = 120)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	static char large[20000];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_eq(rig_login(r, i + 1, bad[i].mechanism, bad[i].initial), bad[i].code,
		    "case %zu", i);
	memset(large, 'x', sizeof large);
	cr_assert_eq(rig_login(r, 90, "PLAIN", str_make(large, sizeof large)), 501);
	cr_assert_eq(rig_login(r, 91, "SCRAM-SHA-256", STR("n,,n=alice@example.com,r=abc")), 334);
	rig_step_expect(r, 91, str_make(large, sizeof large), 501, NULL);
	cr_assert_eq(rig_login(r, 92, "SCRAM-SHA-256", STR("n,,n=alice@example.com,r=abc")), 334);
	rig_step_expect(r, 92, STR("c=biws,r=altered,p=AAAA"), 535, NULL);
	cr_assert_eq(rig_login(r, 93, "PLAIN", GOOD), 235);
	rig_free(&r);
}

Test(broker, only_offered_mechanisms_are_accepted, .timeout = 60)
{
	struct rig *r = rig_with_alice("mechanisms = ( \"SCRAM-SHA-256\" );", 1);

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 504);
	cr_assert_eq(rig_login(r, 2, "SCRAM-SHA-256", STR("y,,n=alice@example.com,r=abc")), 334,
	    "no -PLUS was offered, so \"y\" is no downgrade");
	rig_free(&r);
}

/* ---- an error of the gateway is 454, never 535 ---- */

Test(broker, without_a_worker_the_answer_is_454, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1h\";", 0);

	for (uint64_t i = 1; i < 5; i++)
		cr_assert_eq(rig_login(r, i, "PLAIN", GOOD), 454);
	rig_worker(r, 0);
	cr_assert_eq(rig_login(r, 9, "PLAIN", GOOD), 235, "an error of the gateway is no failure");
	rig_free(&r);
}

Test(broker, a_worker_that_hangs_is_replaced, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT "step_timeout = \"1s\";", 1);

	kill(r->workers[0].pid, SIGSTOP);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 454);
	rig_until_count(r, &r->restarts, 1);
	cr_assert_eq(r->last_restart, 0);
	kill(r->workers[0].pid, SIGKILL);
	waitpid(r->workers[0].pid, NULL, 0);
	rig_worker(r, 0);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 235);
	rig_free(&r);
}

Test(broker, a_check_whose_worker_dies_gets_454, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);
	struct str good = GOOD;
	struct rig_answer a;

	rig_fake_worker(r, 0);
	rig_start(r, 1, "PLAIN", &good, &a);
	rig_until_count(r, &r->check_count, 1);
	channel_free(&r->fake_worker);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 454);
	rig_free(&r);
}

static void
damage(struct rig *r)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/accounts.db", r->directory);
	fd = open(path, O_WRONLY | O_TRUNC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, path, sizeof path), (ssize_t)sizeof path);
	close(fd);
}

Test(broker, a_damaged_store_gives_454, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_admin done;

	rig_store(r, "alice@example.com", "wonderland", NULL);
	damage(r);
	rig_run(r, HIGH_LIMIT, 1);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 454);
	cr_assert_eq(rig_login(r, 2, "SCRAM-SHA-256", STR("n,,n=alice@example.com,r=abc")), 454);
	rig_admin(r, "user.list", NULL, &done);
	cr_assert_eq(done.exit_code, 74);
	rig_free(&r);
}

Test(broker, a_missing_store_gives_454, .timeout = 60)
{
	struct rig *r = rig_new();

	cr_assert_eq(rmdir(r->directory), 0);
	rig_run(r, HIGH_LIMIT, 1);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 454);
	rig_free(&r);
}

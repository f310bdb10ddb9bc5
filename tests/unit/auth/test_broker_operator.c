/* Changes by the operator take effect at once, for sessions and for running checks. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sasl/sasl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "support/ask.h"
#include "unit/auth/client.h"
#include "unit/auth/rig.h"

/* ---- commands of the operator ---- */

static struct str
shown(const struct rig_admin *done, const char *key)
{
	return message_values_get(str_make(done->last_row, done->last_row_n), key);
}

Test(broker, changes_take_effect_at_once, .timeout = 120)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	const char *suspend[][2] = {
	    {"name", "Alice@example.com"}, {"reason", "phished"}, {NULL, NULL}};
	char text[SCRAM_SECRET_TEXT_BYTES];
	struct scram_secret s;
	struct rig_admin done;

	cr_assert(scram_secret_make(STR("new"), 4096, &s));
	const char *password[][2] = {
	    {"name", "alice@example.com"}, {"secret", scram_secret_text(&s, text)}, {NULL, NULL}};

	rig_admin(r, "user.show", suspend, &done);
	cr_assert_eq(shown(&done, "last_login").n, 0);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	rig_admin(r, "user.show", suspend, &done);
	cr_assert(str_starts(shown(&done, "last_login"), STR("20")));
	cr_assert(str_eq(shown(&done, "last_login_mechanism"), STR("PLAIN")));
	rig_admin(r, "user.suspend", suspend, &done);
	cr_assert_eq(done.exit_code, 0);
	rig_until_count(r, &r->users_gone, 1);
	cr_assert_str_eq(r->last_user_gone, "alice@example.com");
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 535);
	rig_admin(r, "user.resume", suspend, &done);
	cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235);
	rig_admin(r, "user.password", password, &done);
	cr_assert_eq(done.exit_code, 0);
	cr_assert_eq(rig_login(r, 4, "PLAIN", GOOD), 535);
	cr_assert_eq(rig_login(r, 5, "PLAIN", STR("\0alice@example.com\0new")), 235);
	rig_admin(r, "user.remove", suspend, &done);
	cr_assert_eq(done.exit_code, 0);
	cr_assert_eq(r->users_gone, 2);
	cr_assert_eq(rig_login(r, 6, "PLAIN", STR("\0alice@example.com\0new")), 535);
	rig_admin(r, "user.remove", suspend, &done);
	cr_assert_eq(done.exit_code, 67);
	rig_free(&r);
}

/* A thief of the old password may have logged in from a network. After the change this network is
 * not usual any more, and is refused when the login is at its limit. */
static void
expect_networks_forgotten(const char *const *verbs)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT "login_failure_limit = \"1 / 1h\";", 1);
	char text[SCRAM_SECRET_TEXT_BYTES];
	struct rig_admin done;
	struct scram_secret s;

	cr_assert(scram_secret_make(STR("wonderland"), 4096, &s));
	const char *values[][2] = {
	    {"name", "Alice"}, {"secret", scram_secret_text(&s, text)}, {NULL, NULL}};

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	cr_assert_eq(rig_login(r, 2, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235, "it is usual there");
	for (int i = 0; verbs[i]; i++) {
		rig_admin(r, verbs[i], values, &done);
		cr_assert_eq(done.exit_code, 0, "%s: %s", verbs[i], done.text);
	}
	cr_expect_eq(rig_login(r, 4, "PLAIN", GOOD), 454, "%s", verbs[0]);
	rig_free(&r);
}

Test(broker, a_new_password_forgets_usual_networks, .timeout = 60)
{
	expect_networks_forgotten((const char *const[]){"user.password", NULL});
}

Test(broker, a_suspension_forgets_usual_networks, .timeout = 60)
{
	expect_networks_forgotten((const char *const[]){"user.suspend", "user.resume", NULL});
}

Test(broker, a_removal_forgets_usual_networks, .timeout = 60)
{
	expect_networks_forgotten((const char *const[]){"user.remove", "user.add", NULL});
}

struct broker_users {
	bool is_done;
	enum request_end end;
	char gone[128], unknown[128];
	size_t gone_n, unknown_n;
};

static void
on_users_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct broker_users *answer = arg;

	answer->is_done = true;
	answer->end = end;
	if (!p)
		return;
	answer->gone_n = p->message->auth_users.gone.n;
	cr_assert_leq(answer->gone_n, sizeof answer->gone);
	memcpy(answer->gone, p->message->auth_users.gone.p, answer->gone_n);
	answer->unknown_n = p->message->auth_users.unknown.n;
	cr_assert_leq(answer->unknown_n, sizeof answer->unknown);
	memcpy(answer->unknown, p->message->auth_users.unknown.p, answer->unknown_n);
}

static void
ask_users(struct rig *r, struct str users, struct broker_users *out)
{
	struct message_auth_users_ask m = {users};

	*out = (struct broker_users){0};
	(void)ask_pooled(r->submission, MESSAGE_AUTH_USERS_ASK, &m, on_users_answer, out);
	rig_until(r, &out->is_done);
}

/* Submission asks this after it has a new channel. */
Test(broker, gone_users_are_reported_to_submission, .timeout = 60)
{
	struct rig *r = rig_new();
	struct broker_users answer;

	rig_store(r, "alice@example.com", "right", NULL);
	rig_store(r, "bob@example.com", "right", "phished");
	rig_run(r, HIGH_LIMIT, 0);
	ask_users(r,
	    STR("alice@example.com\0bob@example.com\0carol@example.com\0alice@example.com\0"),
	    &answer);
	cr_assert_eq(answer.end, REQUEST_ANSWERED);
	cr_assert(str_eq(
	    str_make(answer.gone, answer.gone_n), STR("bob@example.com\0carol@example.com\0")));
	ask_users(r, STR("alice@example.com\0"), &answer);
	cr_assert_eq(answer.end, REQUEST_ANSWERED);
	cr_assert_eq(answer.gone_n, 0);
	rig_free(&r);
}

/* While the store cannot be opened, no user is reported as gone. */
Test(broker, a_broken_store_reports_no_user_as_gone, .timeout = 60)
{
	struct rig *r = rig_new();
	struct broker_users answer;

	snprintf(r->directory, sizeof r->directory, "/nonexistent");
	rig_run(r, HIGH_LIMIT, 0);
	ask_users(r, STR("alice@example.com\0"), &answer);
	cr_assert_eq(answer.end, REQUEST_ERROR);
	rig_free(&r);
}

/* Submission asks each second while another file is in the place of the store: one log line for
 * that, and one when the store is back. */
Test(broker, a_store_that_cannot_be_used_is_logged_once, .timeout = 60)
{
	struct rig *r = rig_new();
	char path[128], moved_path[128];
	struct broker_users answer;
	int log = memfd_create("log", MFD_CLOEXEC), fd;

	cr_assert_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	rig_store(r, "alice@example.com", "right", NULL);
	snprintf(path, sizeof path, "%s/accounts.db", r->directory);
	snprintf(moved_path, sizeof moved_path, "%s/away", r->directory);
	cr_assert_eq(rename(path, moved_path), 0);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	cr_assert_eq(write(fd, path, sizeof path), (ssize_t)sizeof path);
	close(fd);
	rig_run(r, HIGH_LIMIT, 0);
	for (int i = 0; i < 4; i++) {
		ask_users(r, STR("alice@example.com\0"), &answer);
		cr_assert_eq(answer.end, REQUEST_ERROR);
		usleep(1100000);
	}
	cr_expect_eq(rig_log_count(log, "logins are answered with 454"), 1);
	cr_expect_eq(rig_log_count(log, "can be used again"), 0);
	cr_assert_eq(rename(moved_path, path), 0);
	for (int i = 0; i < 2; i++) {
		ask_users(r, STR("alice@example.com\0"), &answer);
		cr_assert_eq(answer.end, REQUEST_ANSWERED);
	}
	cr_expect_eq(rig_log_count(log, "can be used again"), 1);
	rig_free(&r);
}

/* Lookups of the damaged account have no effect on other accounts, however often they fail. */
Test(broker, a_damaged_account_leaves_the_others_usable, .timeout = 60)
{
	const char *show[][2] = {{"name", "bob@example.com"}, {NULL, NULL}};
	struct str bob = STR("\0bob@example.com\0right");
	int log = memfd_create("log", MFD_CLOEXEC);
	struct rig *r = rig_new();
	struct rig_admin done;
	struct broker_users answer;

	cr_assert_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	rig_store(r, "alice@example.com", "wonderland", NULL);
	rig_store(r, "bob@example.com", "right", NULL);
	rig_store(r, "carol@example.com", "pirate", NULL);
	(void)rig_damage(
	    r, "bob@example.com", strlen("bob@example.com"), 'X'); /* of the account's secret */
	rig_run(r, HIGH_LIMIT, 1);
	for (unsigned i = 0; i < 3; i++) {
		cr_expect_eq(rig_login(r, 10 * i + 1, "PLAIN", bob), 454);
		cr_expect_eq(rig_login(r, 10 * i + 2, "PLAIN", GOOD), 235);
		cr_expect_eq(rig_login(r, 10 * i + 3, "PLAIN", STR("\0carol\0pirate")), 235);
		rig_admin(r, "user.show", show, &done);
		cr_expect_eq(done.exit_code, 65, "%u", done.exit_code);
	}
	ask_users(
	    r, STR("alice@example.com\0bob@example.com\0nobody\0carol@example.com\0"), &answer);
	cr_expect_eq(answer.end, REQUEST_ANSWERED);
	cr_expect(str_eq(str_make(answer.gone, answer.gone_n), STR("nobody\0")));
	cr_expect(str_eq(str_make(answer.unknown, answer.unknown_n), STR("bob@example.com\0")));
	cr_expect_eq(rig_log_count(log, "account damaged"), 1);
	cr_expect_eq(rig_log_count(log, "logins are answered with 454 until"), 0);
	rig_free(&r);
}

/* The store can be opened again, but one lookup still fails: `status` shows the error while other
 * accounts can be looked up, and only as long as this lookup fails, also without a login. */
Test(broker, a_failed_lookup_is_shown_until_it_succeeds, .timeout = 60)
{
	char text[METRICS_TROUBLE_TEXT_BYTES];
	int fd = metrics_create(), log = memfd_create("log", MFD_CLOEXEC);
	char bob, carol;
	const struct metrics_region *region = metrics_map(fd);
	struct rig *r = rig_new();
	struct broker_users answer;

	/* from here on the broker uses it */
	cr_assert_eq(metrics_use(fd), 0);
	cr_assert_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	clock_shorten_timeouts(60); /* a minute is a second */
	rig_store(r, "alice@example.com", "wonderland", NULL);
	rig_store(r, "bob@example.com", "right", NULL);
	rig_store(r, "carol@example.com", "pirate", NULL);
	/* the length of the row's last column */
	bob = rig_damage(r, "bob@example.com", -1, '\177');
	carol = rig_damage(r, "carol@example.com", -1, '\177');
	rig_run(r, HIGH_LIMIT, 0);
	cr_expect_str_eq(metrics_read_trouble(region, text), "");
	for (int i = 0; i < 3; i++) {
		usleep(1200000); /* then it may be opened again */
		ask_users(r, STR("bob@example.com\0"), &answer);
		cr_expect(
		    str_eq(str_make(answer.unknown, answer.unknown_n), STR("bob@example.com\0")));
		cr_expect(strstr(metrics_read_trouble(region, text), "lookup"), "'%s'", text);
		usleep(1200000);
		ask_users(r, STR("alice@example.com\0"), &answer);
		cr_expect(answer.end == REQUEST_ANSWERED && answer.unknown_n == 0);
		cr_expect(strstr(metrics_read_trouble(region, text), "lookup"), "'%s'", text);
	}
	ask_users(r, STR("carol@example.com\0"), &answer);
	cr_expect_eq(answer.unknown_n, sizeof "carol@example.com");
	(void)rig_damage(r, "carol@example.com", -1, carol);
	usleep(3000000);
	ask_users(r, STR("carol@example.com\0"), &answer);
	cr_expect(answer.end == REQUEST_ANSWERED && answer.unknown_n == 0);
	cr_expect(strstr(metrics_read_trouble(region, text), "lookup"), "'%s'", text);
	cr_expect_eq(rig_log_count(log, "logins are answered with 454"), 1);
	cr_expect_eq(rig_log_count(log, "can be used again"), 0);
	(void)rig_damage(r, "bob@example.com", -1, bob);
	for (int i = 0; i < 100 && metrics_read_trouble(region, text)[0]; i++)
		usleep(100000);
	cr_expect_str_eq(text, "");
	cr_expect_eq(rig_log_count(log, "can be used again"), 1);
	clock_shorten_timeouts(1);
	rig_free(&r);
}

/* The error is logged again, so that it is also in today's log. */
Test(broker, a_store_that_stays_missing_is_logged_again, .timeout = 60)
{
	struct rig *r = rig_new();
	struct broker_users answer;
	int log = memfd_create("log", MFD_CLOEXEC);

	cr_assert_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	clock_shorten_timeouts(300); /* ten minutes are two seconds */
	snprintf(r->directory, sizeof r->directory, "/nonexistent");
	rig_run(r, HIGH_LIMIT, 0);
	for (int i = 0; i < 300 && rig_log_count(log, "logins are answered with 454") < 2; i++) {
		ask_users(r, STR("alice@example.com\0"), &answer);
		usleep(100000);
	}
	cr_expect_eq(rig_log_count(log, "logins are answered with 454"), 2);
	clock_shorten_timeouts(1);
	rig_free(&r);
}

/* The account changes while a worker checks the old password. */
Test(broker, a_change_during_a_check_counts, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);
	const char *suspend[][2] = {{"name", "alice@example.com"}, {NULL, NULL}};
	struct str good = GOOD;
	struct rig_answer a;
	struct rig_admin done;

	rig_fake_worker(r, 0);
	rig_start(r, 1, "PLAIN", &good, &a);
	rig_until_count(r, &r->check_count, 1);
	rig_admin(r, "user.suspend", suspend, &done);
	rig_answer_check(r, 0);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 535);
	rig_admin(r, "user.resume", suspend, &done);
	rig_start(r, 2, "PLAIN", &good, &a);
	rig_until_count(r, &r->check_count, 2);
	rig_free(&r);
}

Test(broker, commands_add_list_and_test_accounts, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	char text[SCRAM_SECRET_TEXT_BYTES];
	struct rig_admin done;
	struct scram_secret s;

	cr_assert(scram_secret_make(STR("new"), 4096, &s));
	const char *bob[][2] = {
	    {"name", "bob@example.com"}, {"secret", scram_secret_text(&s, text)}, {NULL, NULL}};
	const char *clear[][2] = {{"name", "eve"}, {"secret", "clear"}, {NULL, NULL}};
	const char *good[][2] = {{"user", "bob"}, {"password", "new"}, {NULL, NULL}};
	const char *wrong[][2] = {{"user", "bob"}, {"password", "old"}, {NULL, NULL}};

	rig_admin(r, "user.add", bob, &done);
	cr_assert_eq(done.exit_code, 0);
	rig_admin(r, "user.add", bob, &done);
	cr_assert_eq(done.exit_code, 73);
	rig_admin(r, "user.add", clear, &done);
	cr_assert_eq(done.exit_code, 65);
	rig_admin(r, "user.list", NULL, &done);
	cr_assert_eq(done.rows, 3);
	rig_admin(r, "user.fly", bob, &done);
	cr_assert_eq(done.exit_code, 64);
	rig_admin(r, "test.auth", good, &done);
	cr_assert_eq(done.exit_code, 0);
	cr_assert(str_eq(message_values_get(str_make(done.last_row, done.last_row_n), "outcome"),
	    STR("ok")));
	rig_admin(r, "test.auth", wrong, &done);
	cr_assert_eq(done.exit_code, 1);
	rig_free(&r);
}

/* Blocks as `user show` and `test auth` show them for an account, and the log line when a block
 * begins. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit/auth/rig.h"

static struct rig_admin
test_auth(struct rig *r, const char *user, const char *password)
{
	const char *values[][2] = {{"user", user}, {"password", password}, {NULL, NULL}};

	return rig_admin_done(r, "test.auth", values);
}

/* True: there is a value "blocked" that contains this text. */
static bool
is_blocked_by(const struct rig_admin *a, const char *text)
{
	struct str row = str_make(a->last_row, a->last_row_n), key, value;

	while (message_values_next(&row, &key, &value))
		if (str_eq(key, STR("blocked")) && memmem(value.p, value.n, text, strlen(text)))
			return true;
	return false;
}

/* The row shows the block, who made it, and until when it holds. */
Test(account_blocks, user_show_and_test_auth_show_them, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	struct rig_admin a;

	a = rig_admin_named(r, "user.show", "alice");
	cr_expect_not(is_blocked_by(&a, ""));
	a = test_auth(r, "alice", "wonderland");
	cr_expect(a.exit_code == 0 && rig_row_has(&a, "outcome", "ok"));
	cr_assert_eq(rig_admin_named(r, "block.add", "alice").exit_code, 0);
	a = rig_admin_named(r, "user.show", "alice");
	cr_expect(rig_row_has(&a, "state", "active"));
	cr_expect(is_blocked_by(&a, "everywhere, by root since 20"));
	cr_expect(is_blocked_by(&a, " until 20") && is_blocked_by(&a, ": it guesses"));
	a = test_auth(r, "alice", "wonderland");
	cr_expect(a.exit_code == 1 && rig_row_has(&a, "outcome", "blocked"));
	cr_expect(rig_row_has(&a, "reason", "user_blocked") && is_blocked_by(&a, "by root"));
	a = test_auth(r, "alice", "wrong");
	cr_expect(rig_row_has(&a, "outcome", "fail") && is_blocked_by(&a, "by root"));
	a = test_auth(r, "mallory", "wonderland");
	cr_expect_not(is_blocked_by(&a, ""));
	rig_free(&r);
}

Test(account_blocks, blocks_of_its_network_are_shown, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	struct rig_admin a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	cr_assert_eq(rig_admin_named(r, "block.add", "198.51.100.0/24").exit_code, 0);
	a = rig_admin_named(r, "user.show", "alice");
	cr_expect_not(is_blocked_by(&a, ""), "no login came from there");
	cr_assert_eq(rig_admin_named(r, "block.add", "203.0.113.0/28").exit_code, 0);
	a = rig_admin_named(r, "user.show", "alice");
	cr_expect(is_blocked_by(&a, "network 203.0.113.0/28, by root since 20"));
	a = test_auth(r, "alice", "wonderland");
	cr_expect(a.exit_code == 0 && is_blocked_by(&a, "network"),
	    "from another network the login is accepted");
	rig_free(&r);
}

static const struct {
	const char *auth, *shown, *outcome, *line;
	struct str guess;
	bool is_usual; /* a login from there has succeeded before */
} limits[] = {
    {"login_failure_limit = \"1 / 1h\";",
	"in networks where it is new, by auth.login_failure_limit since 20", "blocked",
	"auth block what=login limit=auth.login_failure_limit until=20", WRONG, false},
    {"failure_limit = \"1 / 1h\";", "network 203.0.113.7/32, by auth.failure_limit since 20", "ok",
	"auth block what=network limit=auth.failure_limit until=20", WRONG, false},
    {"failure_limit = \"1 / 1h\";", "login at 203.0.113.0/24, by auth.failure_limit since 20", "ok",
	"auth block what=login_at_network limit=auth.failure_limit until=20", WRONG, true},
};

/* Blocks that the limits make are shown too; the log has one line when a block begins, with the
 * time until which it holds. */
Test(account_blocks, automatic_blocks_are_shown_and_logged, .timeout = 60)
{
	int log = memfd_create("log", MFD_CLOEXEC);

	cr_assert_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct rig *r = rig_with_alice(limits[i].auth, 1);
		struct rig_admin a;

		cr_assert_eq(ftruncate(log, 0), 0);
		cr_assert_eq(lseek(log, 0, SEEK_SET), 0);
		if (limits[i].is_usual)
			cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235);
		cr_assert_eq(rig_login(r, 1, "PLAIN", limits[i].guess), 535);
		(void)rig_login(r, 2, "PLAIN", limits[i].guess);
		a = rig_admin_named(r, "user.show", "alice");
		cr_expect(is_blocked_by(&a, limits[i].shown), "case %zu", i);
		a = test_auth(r, "alice", "wonderland");
		cr_expect(rig_row_has(&a, "outcome", limits[i].outcome), "case %zu", i);
		cr_expect_eq(rig_log_count(log, limits[i].line), 1, "case %zu", i);
		cr_expect_eq(rig_log_count(log, "admin id=- action=block"), 0);
		rig_free(&r);
	}
}

/* The log and the tool say that there is no such account; the client gets the same answer as for a
 * wrong password. */
Test(account_blocks, an_unknown_account_has_its_own_reason, .timeout = 60)
{
	int log = memfd_create("log", MFD_CLOEXEC);
	struct rig *r;
	struct rig_admin a;

	cr_assert_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	r = rig_with_alice(HIGH_LIMIT, 1);
	cr_expect_eq(rig_login(r, 1, "PLAIN", STR("\0nobody\0x")), 535);
	cr_expect_eq(
	    rig_log_count(log, "counted=yes mech=PLAIN reason=no_such_account reply=\"535 5.7.8\""),
	    1);
	cr_expect_eq(rig_login(r, 2, "PLAIN", WRONG), 535);
	cr_expect_eq(
	    rig_log_count(log, "counted=yes mech=PLAIN reason=bad_credentials reply=\"535 5.7.8\""),
	    1);
	a = test_auth(r, "nobody", "x");
	cr_expect(
	    rig_row_has(&a, "outcome", "fail") && rig_row_has(&a, "reason", "no_such_account"));
	a = test_auth(r, "alice", "x");
	cr_expect(
	    rig_row_has(&a, "outcome", "fail") && rig_row_has(&a, "reason", "bad_credentials"));
	rig_free(&r);
}

static const struct {
	const char *user, *reason;
} several_domains[] = {
    {"bob", "no_domain"},
    {"bob@example.com", "no_such_account"},
    {"alice", "bad_credentials"},
    {"alice@example.com", "bad_credentials"},
};

/* With several domains: the reason is no_domain only for a name without a domain that no account
 * has. */
Test(account_blocks, a_name_without_a_domain_has_its_own_reason, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_admin a;

	r->more_domains = ", { name = \"example.net\"; }";
	rig_store(r, "alice", "wonderland", NULL);
	rig_store(r, "alice@example.com", "wonderland", NULL);
	rig_run(r, HIGH_LIMIT, 1);
	for (size_t i = 0; i < sizeof several_domains / sizeof *several_domains; i++) {
		a = test_auth(r, several_domains[i].user, "wrong");
		cr_expect(rig_row_has(&a, "outcome", "fail"), "case %zu", i);
		cr_expect(rig_row_has(&a, "reason", several_domains[i].reason), "case %zu", i);
	}
	rig_free(&r);
}

/* The log must not show a test as the login of a client, nor a failed one as a guess. */
Test(account_blocks, a_test_is_logged_as_one, .timeout = 60)
{
	int log = memfd_create("log", MFD_CLOEXEC);
	struct rig *r;

	cr_assert_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	r = rig_with_alice(HIGH_LIMIT, 1);
	(void)test_auth(r, "alice", "wonderland");
	(void)test_auth(r, "alice", "wrong");
	cr_expect_eq(rig_log_count(log, "auth ok id=- via=test by="), 1);
	cr_expect_eq(rig_log_count(log, "auth fail id=- via=test by="), 1);
	cr_expect_eq(rig_log_count(log, "counted=no"), 1);
	cr_expect_eq(rig_log_count(log, "reply="), 0);
	cr_expect_eq(rig_log_count(log, "ip="), 0);
	cr_expect_eq(rig_log_count(log, "tls="), 0);
	rig_free(&r);
}

/* Blocks through the broker: those of the operator also refuse right passwords; automatic ones are
 * listed and removed. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/broker_blocklist.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "unit/auth/rig.h"

Test(broker_blocklist, a_blocked_network_gets_421, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT "exempt_networks = [ \"203.0.113.0/24\" ];", 1);
	struct rig_admin a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	cr_assert_eq(rig_admin_named(r, "block.add", "203.0.113.0/28").exit_code, 0);
	cr_assert_eq(
	    rig_login(r, 2, "PLAIN", GOOD), 421, "neither a usual network nor an exempt one helps");
	cr_assert_eq(rig_login(r, 3, "SCRAM-SHA-256", STR("n,,n=alice,r=abc")), 421);
	a = rig_admin_done(r, "block.list", NULL);
	cr_assert_eq(a.rows, 1);
	cr_expect(rig_row_has(&a, "what", "network") && rig_row_has(&a, "name", "203.0.113.0/28"));
	cr_expect(rig_row_has(&a, "by", "root") && rig_row_has(&a, "reason", "it guesses"));
	cr_expect(
	    rig_row_has(&a, "count", "2") && rig_row_has(&a, "last_user", "alice@example.com"));
	cr_expect(rig_row_has(&a, "last_ip", "203.0.113.7"));
	cr_assert_eq(rig_admin_named(r, "block.remove", "203.0.113.0/28").exit_code, 0);
	cr_assert_eq(rig_admin_named(r, "block.remove", "203.0.113.0/28").exit_code, 67);
	cr_assert_eq(rig_login(r, 4, "PLAIN", GOOD), 235);
	rig_free(&r);
}

static void
end_broker(struct rig *r)
{
	rig_kill(r);
	channel_free(&r->submission);
	channel_free(&r->control);
}

Test(broker_blocklist, a_block_of_a_user_survives_a_restart, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);

	cr_assert_eq(rig_admin_named(r, "block.add", "alice").exit_code, 0);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 454);
	end_broker(r);
	rig_run(r, HIGH_LIMIT, 0);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 454);
	cr_assert_eq(rig_admin_done(r, "block.list", NULL).rows, 1);
	cr_assert_eq(rig_admin_named(r, "block.remove", "alice@example.com").exit_code, 0);
	cr_assert_eq(rig_login(r, 3, "SCRAM-SHA-256", STR("n,,n=alice,r=abc")), 334);
	rig_free(&r);
}

static const struct {
	const char *name, *lasts, *reason;
	uint8_t code;
} bad[] = {
    {"203.0.113.1/24", "1h", "", 65},
    {"", "1h", "", 65},
    {"300.1.1.1", "1h", "", 65},
    {"10.1.1", "1h", "", 65},
    {"10", "1h", "", 65},
    {"1:2", "1h", "", 65},
    {"192.0.2.0/33", "1h", "", 65},
    {"bob", "", "", 64},
    {"bob", "soon", "", 64},
    {"bob", "10ms", "", 64},
    {"bob", "999999d", "", 64},
    {"bob", "1h", "a\tb", 65},
    {"bob", "1h", "a\nb", 65},
};

Test(broker_blocklist, invalid_blocks_are_refused, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *values[][2] = {{"name", bad[i].name}, {"for", bad[i].lasts},
		    {"reason", bad[i].reason}, {NULL, NULL}};

		cr_expect_eq(
		    rig_admin_done(r, "block.add", values).exit_code, bad[i].code, "case %zu", i);
	}
	cr_expect_eq(rig_admin_named(r, "block.fly", "bob").exit_code, 64);
	cr_expect_eq(rig_admin_done(r, "block.list", NULL).rows, 0);
	rig_free(&r);
}

/* A network that has reached its limit, a login that has, and a login at its usual network. */
Test(broker_blocklist, automatic_blocks_are_listed_and_removed, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1h\"; cache = \"0s\";", 1);
	struct rig_admin a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", STR("\0bob\0x")), 535);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 421);
	a = rig_admin_named(r, "block.list", "");
	cr_assert_eq(a.rows, 1, "the network: %u", a.rows);
	cr_expect(rig_row_has(&a, "what", "network") && rig_row_has(&a, "name", "203.0.113.7/32"));
	cr_assert_eq(rig_admin_named(r, "block.remove", "203.0.113.7").exit_code, 0);
	cr_assert_eq(rig_admin_named(r, "block.list", "").rows, 0);
	cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235);
	cr_assert_eq(rig_login(r, 4, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 5, "PLAIN", GOOD), 421);
	a = rig_admin_named(r, "block.list", "");
	cr_assert_eq(a.rows, 2, "the network, and the login there: %u", a.rows);
	cr_expect(rig_row_has(&a, "what", "user at network") &&
	          rig_row_has(&a, "name", "alice@example.com"));
	cr_expect(rig_row_has(&a, "network", "203.0.113.0/24"));
	cr_assert_eq(rig_admin_named(r, "block.remove", "alice").exit_code, 0);
	cr_assert_eq(rig_login(r, 6, "PLAIN", GOOD), 235);
	rig_free(&r);
}

Test(broker_blocklist, a_login_at_its_limit_is_listed, .timeout = 60)
{
	struct rig *r = rig_with_alice("login_failure_limit = \"1 / 1h\";", 1);
	struct rig_admin a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 454);
	a = rig_admin_named(r, "block.list", "");
	cr_assert_eq(a.rows, 1);
	cr_expect(rig_row_has(&a, "what", "user") && rig_row_has(&a, "name", "alice@example.com"));
	cr_expect(rig_row_has(&a, "by", "automatic") &&
	          rig_row_has(&a, "reason", "auth.login_failure_limit"));
	cr_expect(rig_row_has(&a, "count", "1") && rig_row_has(&a, "last_ip", "203.0.113.7"));
	cr_assert_eq(rig_admin_named(r, "block.remove", "alice").exit_code, 0);
	cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235);
	rig_free(&r);
}

/* ---- which account a name means ---- */

Test(broker_blocklist, a_name_without_a_domain_means_an_account, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_admin a;

	rig_store(r, "alice@example.com", "wonderland", NULL);
	rig_store(r, "info", "right", NULL);
	rig_run(r, HIGH_LIMIT, 1);
	a = rig_admin_named(r, "block.add", "Info");
	cr_expect(a.exit_code == 0 && strstr(a.text, "info: blocked until "), "%s", a.text);
	cr_expect_not(strstr(a.text, "no account"), "%s", a.text);
	cr_expect_eq(rig_login(r, 1, "PLAIN", STR("\0info\0right")), 454);
	cr_expect_eq(rig_login(r, 2, "PLAIN", GOOD), 235);
	a = rig_admin_named(r, "user.remove", "info");
	cr_assert_eq(a.exit_code, 0);
	a = rig_admin_named(r, "block.remove", "info");
	cr_expect(a.exit_code == 0 && strstr(a.text, "info: no longer blocked"), "%s", a.text);
	a = rig_admin_named(r, "block.add", "info");
	cr_expect(a.exit_code == 0 && strstr(a.text, "info@example.com: blocked"), "%s", a.text);
	cr_expect(strstr(a.text, "no account has this name"), "%s", a.text);
	a = rig_admin_named(r, "block.add", "alice@example.com");
	cr_expect(a.exit_code == 0 && !strstr(a.text, "no account"), "%s", a.text);
	rig_free(&r);
}

/* A name with a domain means one login, even without a lookup. */
Test(broker_blocklist, a_full_name_is_blocked_without_a_lookup, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_admin a;

	rig_store(r, "alice", "right", NULL);
	(void)rig_damage(r, "alice", -1, '\177');
	rig_run(r, HIGH_LIMIT, 0);
	a = rig_admin_named(r, "block.add", "alice");
	cr_expect(a.exit_code == 74 && strstr(a.text, "give the whole name"), "%s", a.text);
	cr_expect_eq(rig_admin_done(r, "block.list", NULL).rows, 0);
	cr_expect_eq(rig_admin_named(r, "block.add", "alice@example.com").exit_code, 0);
	cr_expect_eq(rig_admin_named(r, "block.remove", "alice@example.com").exit_code, 0);
	rig_free(&r);
}

/* An address in a network that is blocked too: by the operator, automatically, and only the
 * network. */
Test(broker_blocklist, a_block_of_a_larger_network_is_reported, .timeout = 60)
{
	static const char still[] = "still blocked by 203.0.113.0/24 until ";
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1h\"; cache = \"0s\";", 1);
	struct rig_admin a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", STR("\0bob\0x")), 535);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 421);
	cr_assert_eq(rig_admin_named(r, "block.add", "203.0.113.0/24").exit_code, 0);
	for (int i = 0; i < 3; i++) {
		if (i == 1)
			cr_assert_eq(rig_admin_named(r, "block.add", "203.0.113.7").exit_code, 0);
		a = rig_admin_named(r, "block.remove", "203.0.113.7");
		cr_expect(a.exit_code == 75 && strstr(a.text, still), "%d: %s", i, a.text);
		cr_expect_eq(
		    strstr(a.text, "no longer blocked itself") != NULL, i < 2, "%s", a.text);
		cr_expect_eq(rig_login(r, 3, "PLAIN", GOOD), 421);
	}
	a = rig_admin_named(r, "block.remove", "203.0.113.0/24");
	cr_expect(a.exit_code == 0 && strstr(a.text, "/24: no longer blocked"), "%s", a.text);
	cr_expect_eq(rig_login(r, 4, "PLAIN", GOOD), 235);
	rig_free(&r);
}

/* ---- a file that cannot be read ---- */

static void
path_in(const struct rig *r, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", r->directory, name);
}

/* A directory is in the place of the file at the start; later the file is back, and is read without
 * any command. */
Test(broker_blocklist, an_unreadable_file_is_shown_in_status, .timeout = 120)
{
	char text[METRICS_TROUBLE_TEXT_BYTES], path[128], moved_path[128];
	int fd = metrics_create();
	const struct metrics_region *region = metrics_map(fd);
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	struct rig_admin a;

	cr_assert_eq(rig_admin_named(r, "block.add", "203.0.113.0/24").exit_code, 0);
	end_broker(r);
	path_in(r, "blocks", path);
	path_in(r, "away", moved_path);
	cr_assert(rename(path, moved_path) == 0 && mkdir(path, 0700) == 0);
	cr_assert_eq(metrics_use(fd), 0); /* from here on the broker uses it */
	clock_shorten_timeouts(60);
	rig_run(r, HIGH_LIMIT, 0);
	cr_expect(strstr(metrics_read_trouble(region, text), "blocks: "), "'%s'", text);
	cr_expect_eq(rig_login(r, 1, "SCRAM-SHA-256", STR("n,,n=alice,r=abc")), 334);
	a = rig_admin_done(r, "block.list", NULL);
	cr_expect(a.exit_code == 74 && strstr(a.text, "blocks: "), "%s", a.text);
	cr_expect_eq(rig_admin_named(r, "block.add", "192.0.2.7").exit_code, 74);
	cr_assert(rmdir(path) == 0 && rename(moved_path, path) == 0);
	for (int i = 0; i < 1000 && metrics_read_trouble(region, text)[0]; i++)
		usleep(20000);
	cr_expect_str_eq(text, "");
	cr_expect_eq(rig_login(r, 2, "SCRAM-SHA-256", STR("n,,n=alice,r=abc")), 421);
	clock_shorten_timeouts(1);
	rig_free(&r);
}

/* The other lines hold; a corrected line holds with the next command. */
Test(broker_blocklist, one_invalid_line_prevents_changes, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	struct rig_admin a;
	char path[128];
	struct stat st;
	int fd;

	cr_assert_eq(rig_admin_named(r, "block.add", "203.0.113.0/24").exit_code, 0);
	end_broker(r);
	path_in(r, "blocks", path);
	fd = open(path, O_WRONLY | O_APPEND);
	cr_assert(fstat(fd, &st) == 0 && write(fd, "junk\n", 5) == 5);
	rig_run(r, HIGH_LIMIT, 0);
	cr_expect_eq(rig_login(r, 1, "PLAIN", GOOD), 421);
	a = rig_admin_done(r, "block.list", NULL);
	cr_expect(a.rows == 1 && a.exit_code == 74 && strstr(a.text, "blocks:3: "), "%s", a.text);
	a = rig_admin_named(r, "block.remove", "203.0.113.0/24");
	cr_expect(a.exit_code == 74 && strstr(a.text, "blocks:3: "), "%s", a.text);
	cr_assert_eq(ftruncate(fd, st.st_size), 0);
	close(fd);
	a = rig_admin_named(r, "block.remove", "203.0.113.0/24");
	cr_expect_eq(a.exit_code, 0, "%s", a.text);
	rig_free(&r);
}

/* Main gets one alert when a limit is reached, not one for each further guess. */
Test(broker_blocklist, reaching_a_limit_sends_one_alert, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1h\"; cache = \"0s\";", 1);

	cr_assert_eq(rig_login(r, 1, "PLAIN", STR("\0bob\0x")), 535);
	rig_until_count(r, &r->alerts, 1);
	cr_expect_eq(r->alert_kind, NOTICE_ACCESS);
	cr_expect_str_eq(r->alert,
	    "203.0.113.7/32|network 203.0.113.7/32 has failed too often and is refused for now "
	    "(auth.failure_limit); the last login that it tried is bob@example.com");
	cr_assert_eq(rig_login(r, 2, "PLAIN", STR("\0bob\0y")), 421);
	cr_assert_eq(rig_login(r, 3, "PLAIN", STR("\0carol\0y")), 421);
	cr_expect_eq(r->alerts, 1);
	rig_free(&r);
}

/* The entry in the list stays; main gets an alert again when the limit is reached again. */
Test(broker_blocklist, reaching_a_limit_again_sends_an_alert, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1s\"; cache = \"0s\";", 1);
	uint64_t session = 1;
	unsigned code;

	cr_assert_eq(rig_login(r, session++, "PLAIN", STR("\0bob\0x")), 535);
	rig_until_count(r, &r->alerts, 1);
	do
		code = rig_login(r, session++, "PLAIN", STR("\0bob\0y"));
	while (code == 421 && session < 1000000);
	cr_assert_eq(code, 535);
	rig_until_count(r, &r->alerts, 2);
	rig_free(&r);
}

Test(broker_blocklist, a_guessed_login_sends_an_alert, .timeout = 60)
{
	struct rig *r =
	    rig_with_alice(HIGH_LIMIT "login_failure_limit = \"1 / 1h\"; cache = \"0s\";", 1);

	cr_assert_eq(rig_login(r, 1, "PLAIN", WRONG), 535);
	rig_until_count(r, &r->alerts, 1);
	cr_expect_str_eq(r->alert,
	    "alice@example.com|login alice@example.com had too many wrong passwords from "
	    "everywhere, and is refused in networks where it is new for now "
	    "(auth.login_failure_limit)");
	rig_free(&r);
}

Test(broker_blocklist, a_suspension_sends_an_alert, .timeout = 60)
{
	const char *suspend[][2] = {{"name", "alice"}, {"reason", "it sends spam"}, {NULL, NULL}};
	const char *resume[][2] = {{"name", "alice"}, {NULL, NULL}};
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);

	cr_assert_eq(rig_admin_done(r, "user.suspend", suspend).exit_code, 0);
	rig_until_count(r, &r->alerts, 1);
	cr_expect_eq(r->alert_kind, NOTICE_ACCESS);
	cr_expect_str_eq(r->alert,
	    "alice@example.com\nsuspended|login alice@example.com was suspended by root: it sends "
	    "spam");
	cr_assert_eq(rig_admin_done(r, "user.resume", resume).exit_code, 0);
	rig_until_count(r, &r->alerts, 2);
	cr_expect_str_eq(r->alert,
	    "alice@example.com|over: login alice@example.com was resumed by root");
	rig_free(&r);
}

/* No descriptor was free when the broker started: the file is read when one is free again. */
Test(broker_blocklist, blocks_are_read_when_a_descriptor_is_free)
{
	static struct broker b;
	struct conf conf = {.state_directory = STR("/tmp")};
	struct role role = {.conf = &conf};
	char directory[] = "/tmp/blocks-XXXXXX";
	struct rlimit full, few;
	int taken[64], count = 0;

	cr_assert(mkdtemp(directory));
	b.role = &role;
	b.directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(b.directory_fd, 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &full), 0);
	few = (struct rlimit){64, full.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (count < 64 && (taken[count] = dup(b.directory_fd)) >= 0)
		count++;
	broker_blocklist_read(&b);
	while (count > 0)
		close(taken[--count]);
	cr_expect(blocklist_error(b.blocks)[0] && b.logged_blocks_error[0]);
	broker_blocklist_read(&b);
	cr_expect_str_eq(blocklist_error(b.blocks), "");
	cr_expect_str_eq(b.logged_blocks_error, "");
	blocklist_free(&b.blocks);
	close(b.directory_fd);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
	cr_assert_eq(rmdir(directory), 0);
}

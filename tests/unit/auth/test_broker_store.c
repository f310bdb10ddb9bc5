/* Another file in the place of the open account store becomes the store, and a change is reported
 * as done only if it is in that file. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/store_file.h"
#include "base/metrics.h"
#include "unit/auth/rig.h"

enum { POLLS_MAX = 300, POLL_US = 100000 };

static char store[128], moved_store[128], backup[128];

static void
copy(const char *from, const char *to)
{
	static char all[1 << 20];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n = read(in, all, sizeof all);

	cr_assert_gt(n, 0);
	cr_assert_eq(write(out, all, (size_t)n), n);
	close(in);
	close(out);
}

/* The backup has alice with another password than in the store, and no other account. */
static struct rig *
run_with_backup(unsigned workers)
{
	struct rig *r = rig_new();
	char error[ACCOUNTS_ERROR_BYTES];
	struct accounts *a;
	struct scram_secret s;

	rig_store(r, "alice@example.com", "former", NULL);
	snprintf(store, sizeof store, "%s/accounts.db", r->directory);
	snprintf(moved_store, sizeof moved_store, "%s/away", r->directory);
	snprintf(backup, sizeof backup, "%s/backup", r->directory);
	copy(store, backup);
	a = accounts_open(r->directory, ACCOUNTS_REFUSE, error);
	cr_assert_not_null(a, "%s", error);
	cr_assert(scram_secret_make(STR("wonderland"), 4096, &s));
	cr_assert_eq(accounts_set_secret(a, STR("alice@example.com"), &s), ACCOUNTS_OK);
	accounts_close(&a);
	rig_run(r, HIGH_LIMIT, workers);
	return r;
}

static void
replace_store(void)
{
	cr_assert_eq(rename(store, moved_store), 0);
	copy(backup, store);
}

static uint8_t
add_bob(struct rig *r)
{
	char text[SCRAM_SECRET_TEXT_BYTES];
	struct scram_secret s;
	struct rig_admin done;

	cr_assert(scram_secret_make(STR("new"), 4096, &s));
	const char *bob[][2] = {
	    {"name", "bob@example.com"}, {"secret", scram_secret_text(&s, text)}, {NULL, NULL}};
	rig_admin(r, "user.add", bob, &done);
	return done.exit_code;
}

/* Looks the account up in the file as after a restart. */
static bool
is_stored(struct rig *r, const char *name)
{
	char error[ACCOUNTS_ERROR_BYTES];
	enum accounts_result found;
	struct account account;
	struct accounts *a;

	rig_kill(r);
	a = accounts_open(r->directory, ACCOUNTS_REFUSE, error);
	cr_assert_not_null(a, "%s", error);
	found = accounts_find(a, str_of(name), &account);
	accounts_close(&a);
	rig_run(r, HIGH_LIMIT, 0);
	return found == ACCOUNTS_OK;
}

Test(broker_store, a_change_is_made_in_the_new_file, .timeout = 60)
{
	int log = memfd_create("log", MFD_CLOEXEC);
	struct rig *r;

	cr_assert_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	r = run_with_backup(0);
	replace_store();
	cr_expect_eq(add_bob(r), 0);
	cr_expect(rig_log_count(log, "accounts: another accounts.db"));
	cr_expect(is_stored(r, "bob@example.com"));
	rig_free(&r);
}

Test(broker_store, an_overwritten_file_is_read_again, .timeout = 60)
{
	struct rig *r = run_with_backup(0);

	cr_assert_eq(add_bob(r), 0);
	copy(backup, store);
	cr_expect_eq(add_bob(r), 0, "the account is not in the new file");
	cr_expect(is_stored(r, "bob@example.com"));
	rig_free(&r);
}

/* Its own changes do not count as another file. */
Test(broker_store, its_own_change_is_no_replacement, .timeout = 60)
{
	int log = memfd_create("log", MFD_CLOEXEC);
	const char *suspend[][2] = {{"name", "bob"}, {NULL, NULL}};
	struct rig_admin done;
	struct rig *r;

	cr_assert_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	r = run_with_backup(0);
	cr_expect_eq(add_bob(r), 0);
	for (int i = 0; i < 3; i++) {
		rig_admin(r, i % 2 ? "user.resume" : "user.suspend", suspend, &done);
		cr_expect_eq(done.exit_code, 0);
	}
	cr_expect_not(rig_log_count(log, "another accounts.db"));
	rig_free(&r);
}

/* No command is given: logins use the new file all the same, also with passwords that were in the
 * cache. */
Test(broker_store, a_password_of_the_former_file_is_refused, .timeout = 60)
{
	struct rig *r = run_with_backup(1);
	unsigned code = 235;

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	replace_store();
	for (unsigned i = 0; i < POLLS_MAX && code == 235; i++) {
		usleep(POLL_US);
		code = rig_login(r, 2 + i, "PLAIN", GOOD);
	}
	cr_expect_eq(code, 535);
	cr_expect_eq(rig_login(r, 1000, "PLAIN", STR("\0alice@example.com\0former")), 235);
	rig_free(&r);
}

/* The whole directory is moved: a change would be missing after a restart. */
Test(broker_store, a_moved_state_directory_is_not_changed, .timeout = 60)
{
	char text[METRICS_TROUBLE_TEXT_BYTES], moved[128];
	const char *block[][2] = {{"name", "192.0.2.1"}, {"for", "1h"}, {NULL, NULL}};
	const char *show[][2] = {{"name", "alice"}, {NULL, NULL}};
	int fd = metrics_create();
	const struct metrics_region *region = metrics_map(fd);
	struct rig_admin done;
	struct rig *r;

	/* from here on the broker uses it */
	cr_assert_eq(metrics_use(fd), 0);
	r = run_with_backup(0);
	snprintf(moved, sizeof moved, "%s-moved", r->directory);
	cr_assert_eq(rename(r->directory, moved), 0);
	cr_expect_eq(add_bob(r), 74);
	rig_admin(r, "block.add", block, &done);
	cr_expect_eq(done.exit_code, 74);
	rig_admin(r, "user.show", show, &done);
	cr_expect_eq(done.exit_code, 0, "accounts can be shown");
	for (int i = 0; i < POLLS_MAX && !metrics_read_trouble(region, text)[0]; i++)
		usleep(POLL_US);
	cr_expect(strstr(text, "the state directory was moved or removed"), "'%s'", text);
	cr_assert_eq(rename(moved, r->directory), 0);
	cr_expect_eq(add_bob(r), 0);
	for (int i = 0; i < POLLS_MAX && metrics_read_trouble(region, text)[0]; i++)
		usleep(POLL_US);
	cr_expect_str_eq(text, "");
	rig_free(&r);
}

Test(broker_store, a_removed_file_is_shown_in_status, .timeout = 60)
{
	char text[METRICS_TROUBLE_TEXT_BYTES];
	int fd = metrics_create();
	const struct metrics_region *region = metrics_map(fd);
	const char *show[][2] = {{"name", "alice"}, {NULL, NULL}};
	struct rig_admin done;
	struct rig *r;

	/* from here on the broker uses it */
	cr_assert_eq(metrics_use(fd), 0);
	r = run_with_backup(0);
	cr_assert_eq(rename(store, moved_store), 0);
	for (int i = 0; i < POLLS_MAX && !metrics_read_trouble(region, text)[0]; i++)
		usleep(POLL_US);
	cr_expect(strstr(text, "accounts.db is missing"), "'%s'", text);
	cr_expect(strstr(text, "put it back"), "'%s'", text);
	rig_admin(r, "user.suspend", show, &done);
	cr_expect_eq(done.exit_code, 74);
	cr_assert_eq(rename(moved_store, store), 0);
	for (int i = 0; i < POLLS_MAX && metrics_read_trouble(region, text)[0]; i++)
		usleep(POLL_US);
	cr_expect_str_eq(text, "");
	rig_admin(r, "user.show", show, &done);
	cr_expect_eq(done.exit_code, 0);
	rig_free(&r);
}

/* If the path of the directory cannot be read, the last result stays. */
Test(broker_store, an_unreadable_path_changes_nothing)
{
	static struct store_file_directory d = {.path = "/var/lib/sallyport"};
	char now[PATH_MAX];

	cr_expect_not(store_file_directory_is_gone(&d, "/proc/self/fd/none", now));
	d.is_gone = true;
	cr_expect(store_file_directory_is_gone(&d, "/proc/self/fd/none", now),
	    "the last result stays");
}

/* The account store: what it keeps, which process may open it, and what happens when it is damaged
 * or its process is killed; the commands of user_admin.h. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/user_admin.h"
#include "base/mem.h"
#include "conf/read.h"
#include "ipc/message.h"
#include "unit/auth/rig.h"

static char directory[] = "/tmp/sallyport-accounts-XXXXXX";
static char error[ACCOUNTS_ERROR_BYTES];

static void
set_up(void)
{
	cr_assert_not_null(mkdtemp(directory));
}

static const char *
file(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static void
tear_down(void)
{
	unlink(file("accounts.db"));
	unlink(file("accounts.db-journal"));
	rmdir(directory);
}

TestSuite(accounts, .init = set_up, .fini = tear_down);

static struct accounts *
open_or_fail(void)
{
	struct accounts *a = accounts_open(directory, ACCOUNTS_MAKE, error);

	cr_assert_not_null(a, "%s", error);
	return a;
}

static struct scram_secret
secret_for(const char *password)
{
	struct scram_secret s;

	cr_assert(scram_secret_make(str_of(password), 4096, &s));
	return s;
}

Test(accounts, changes_are_kept_after_reopening)
{
	struct accounts *a = open_or_fail();
	struct scram_secret one = secret_for("one"), two = secret_for("two");
	struct account found;
	char key[32];

	memcpy(key, accounts_key(a).p, 32);
	cr_assert_eq(accounts_likely_iterations(a, STR("nobody")), 0);
	cr_assert_eq(accounts_find(a, STR("alice"), &found), ACCOUNTS_NONE);
	cr_assert_eq(accounts_add(a, STR("alice"), &one), ACCOUNTS_OK);
	cr_assert_eq(accounts_likely_iterations(a, STR("nobody")), 4096);
	cr_assert_eq(accounts_add(a, STR("alice"), &two), ACCOUNTS_EXISTS);
	cr_assert_eq(accounts_set_secret(a, STR("bob"), &two), ACCOUNTS_NONE);
	cr_assert_eq(accounts_set_secret(a, STR("alice"), &two), ACCOUNTS_OK);
	cr_assert_eq(accounts_suspend(a, STR("alice"), STR("phished")), ACCOUNTS_OK);
	accounts_close(&a);

	a = open_or_fail();
	cr_assert_arr_eq(accounts_key(a).p, key, 32, "the installation's key stays");
	cr_assert_eq(accounts_find(a, STR("alice"), &found), ACCOUNTS_OK);
	cr_assert(found.is_suspended);
	cr_assert_str_eq(found.reason, "phished");
	cr_assert(rig_password_matches(&found.secret, STR("two")));
	cr_assert_eq(accounts_resume(a, STR("alice")), ACCOUNTS_OK);
	cr_assert_eq(accounts_find(a, STR("alice"), &found), ACCOUNTS_OK);
	cr_assert(!found.is_suspended);
	cr_assert_eq(accounts_remove(a, STR("alice")), ACCOUNTS_OK);
	cr_assert_eq(accounts_remove(a, STR("alice")), ACCOUNTS_NONE);
	accounts_close(&a);
}

/* The time of the first suspension stays, and its reason as long as no other is given. */
Test(accounts, a_second_suspension_keeps_what_the_first_one_said)
{
	struct accounts *a = open_or_fail();
	struct scram_secret one = secret_for("one");
	struct account first, found;

	cr_assert_eq(accounts_add(a, STR("alice"), &one), ACCOUNTS_OK);
	cr_assert_eq(accounts_suspend(a, STR("alice"), STR("phished")), ACCOUNTS_OK);
	cr_assert_eq(accounts_find(a, STR("alice"), &first), ACCOUNTS_OK);
	usleep(5000);
	cr_assert_eq(accounts_suspend(a, STR("alice"), STR("")), ACCOUNTS_OK);
	cr_assert_eq(accounts_find(a, STR("alice"), &found), ACCOUNTS_OK);
	cr_expect_eq(found.suspended_ms, first.suspended_ms);
	cr_expect_str_eq(found.reason, "phished");
	cr_assert_eq(accounts_suspend(a, STR("alice"), STR("left")), ACCOUNTS_OK);
	cr_assert_eq(accounts_find(a, STR("alice"), &found), ACCOUNTS_OK);
	cr_expect_eq(found.suspended_ms, first.suspended_ms);
	cr_expect_str_eq(found.reason, "left");
	cr_assert_eq(accounts_resume(a, STR("alice")), ACCOUNTS_OK);
	cr_assert_eq(accounts_suspend(a, STR("alice"), STR("")), ACCOUNTS_OK);
	cr_assert_eq(accounts_find(a, STR("alice"), &found), ACCOUNTS_OK);
	cr_expect_gt(found.suspended_ms, first.suspended_ms);
	cr_expect_str_eq(found.reason, "");
	accounts_close(&a);
}

Test(accounts, any_bytes_of_a_name_are_stored)
{
	static const char *const names[] = {
	    "' OR '1'='1", "*)(uid=*", "../../etc/passwd", "a%b_c", "\xc3\xb6"};
	struct accounts *a = open_or_fail();
	struct scram_secret s = secret_for("x");
	struct account found;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		cr_assert_eq(accounts_find(a, str_of(names[i]), &found), ACCOUNTS_NONE);
		cr_assert_eq(accounts_add(a, str_of(names[i]), &s), ACCOUNTS_OK);
		cr_assert_eq(accounts_find(a, str_of(names[i]), &found), ACCOUNTS_OK);
		cr_assert_str_eq(found.name, names[i]);
	}
	accounts_close(&a);
}

Test(accounts, only_the_owner_can_read_the_file)
{
	struct accounts *a = open_or_fail();
	struct stat st;

	umask(0);
	cr_assert_eq(stat(file("accounts.db"), &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	accounts_close(&a);
}

/* Another process cannot open the store while this one has it open. */
Test(accounts, only_one_process_can_open_the_store)
{
	struct accounts *a = open_or_fail();
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct accounts *b = accounts_open(directory, ACCOUNTS_MAKE, error);

		_exit(b ? 1 : errno == EBUSY ? 0 : 2);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	accounts_close(&a);
}

static void
overwrite(const char *name, const char *text)
{
	int fd = open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

Test(accounts, a_file_that_is_not_a_store_is_refused)
{
	overwrite("accounts.db", "this is not a database, and long enough to be read as one");
	cr_assert_null(accounts_open(directory, ACCOUNTS_MAKE, error));
	cr_assert_neq(error[0], 0);
	cr_assert_null(accounts_open("/nonexistent", ACCOUNTS_MAKE, error));
}

/* A missing or empty store is an error; it is made only with ACCOUNTS_MAKE. */
Test(accounts, a_missing_store_is_made_only_on_request)
{
	struct accounts *a;

	cr_assert_null(accounts_open(directory, ACCOUNTS_REFUSE, error));
	cr_expect_eq(errno, ENOENT);
	cr_expect_str_eq(error, "accounts.db is missing");
	cr_expect_eq(access(file("accounts.db"), F_OK), -1);
	overwrite("accounts.db", "");
	cr_assert_null(accounts_open(directory, ACCOUNTS_REFUSE, error));
	cr_expect_eq(errno, ENOENT);
	cr_expect_str_eq(error, "accounts.db is empty");
	a = open_or_fail();
	cr_expect(accounts_is_new(a));
	accounts_close(&a);
	a = accounts_open(directory, ACCOUNTS_REFUSE, error);
	cr_assert_not_null(a, "%s", error);
	cr_expect_not(accounts_is_new(a));
	accounts_close(&a);
}

Test(accounts, a_symbolic_link_is_not_followed)
{
	cr_assert_eq(symlink("/tmp/sallyport-elsewhere", file("accounts.db")), 0);
	cr_assert_null(accounts_open(directory, ACCOUNTS_MAKE, error));
	cr_assert_eq(access("/tmp/sallyport-elsewhere", F_OK), -1);
}

/* Runs in a child: adds accounts, and reports each one after the call has returned, until it is
 * killed. */
static void
add_until_killed(int report_fd)
{
	struct accounts *a = accounts_open(directory, ACCOUNTS_MAKE, error);
	struct scram_secret s;

	if (!a || !scram_secret_make(STR("x"), 4096, &s))
		_exit(1);
	for (uint32_t i = 0;; i++) {
		char name[16];

		snprintf(name, sizeof name, "u%u", i);
		if (accounts_add(a, str_of(name), &s) != ACCOUNTS_OK ||
		    write(report_fd, &i, sizeof i) != sizeof i)
			_exit(1);
	}
}

static uint32_t
count_reported(int fd, uint32_t enough, pid_t pid)
{
	uint32_t i, reported = 0;

	while (read(fd, &i, sizeof i) == sizeof i)
		if (++reported == enough)
			kill(pid, SIGKILL);
	return reported;
}

Test(accounts, reported_changes_survive_a_kill, .timeout = 60)
{
	uint32_t reported;
	struct accounts *a;
	struct account found;
	int ends[2];
	pid_t pid;

	cr_assert_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0)
		add_until_killed(ends[1]);
	close(ends[1]);
	reported = count_reported(ends[0], 40, pid);
	waitpid(pid, NULL, 0);
	cr_assert_geq(reported, 40);
	a = open_or_fail();
	for (uint32_t i = 0; i < reported; i++) {
		char name[16];

		snprintf(name, sizeof name, "u%u", i);
		cr_assert_eq(accounts_find(a, str_of(name), &found), ACCOUNTS_OK, "%s", name);
	}
	accounts_close(&a);
}

/* ---- commands ---- */

struct rows {
	int count;
	char state[16];
	char text[512];
};

static const char *domains_text = "domains: ( { name = \"example.com\"; } );";

static void
count_row(struct str values, void *arg)
{
	struct rows *rows = arg;
	struct str state = message_values_get(values, "state");

	rows->count++;
	snprintf(rows->state, sizeof rows->state, "%.*s", STR_ARG(state));
}

static uint8_t
run(struct accounts *a, const char *verb, const char *name, const char *value, struct rows *rows)
{
	struct user_admin_out out = {.row = count_row, .arg = rows};
	struct conf_report report;
	struct buf values, text;
	struct conf *c;
	uint8_t code;

	conf_report_init(&report);
	c = conf_read_text(str_of(domains_text), &report);
	cr_assert_not_null(c);
	conf_report_clear(&report);

	buf_init(&values, 4096);
	buf_init(&text, 1024);
	out.text = &text;
	message_values_add(&values, "name", str_of(name));
	if (value) {
		message_values_add(&values, "secret", str_of(value));
		message_values_add(&values, "reason", str_of(value));
	}
	code = user_admin_run(a, c, str_of(verb), buf_str(&values), &out);
	cr_assert(code == 0 || text.n > 0, "a failure has a text");
	snprintf(rows->text, sizeof rows->text, "%.*s", STR_ARG(buf_str(&text)));
	conf_drop(&c);
	buf_clear(&values);
	buf_clear(&text);
	return code;
}

Test(accounts, commands_change_accounts)
{
	struct accounts *a = open_or_fail();
	struct scram_secret s = secret_for("x");
	char text[SCRAM_SECRET_TEXT_BYTES];
	struct rows rows = {0};

	scram_secret_text(&s, text);
	cr_assert_eq(run(a, "user.add", "Alice@Example.COM", text, &rows), 0);
	cr_assert_eq(run(a, "user.add", "alice@example.com", text, &rows), USER_ADMIN_EXISTS);
	cr_assert_eq(run(a, "user.add", "bob", "a clear password", &rows), USER_ADMIN_DATA);
	cr_assert_eq(run(a, "user.add", "", text, &rows), USER_ADMIN_DATA);
	cr_assert_eq(run(a, "user.add", "a\nb", text, &rows), USER_ADMIN_DATA);
	cr_assert_eq(run(a, "user.add", "carol", text, &rows), 0);
	cr_assert_str_eq(rows.text, "carol@example.com: added");
	cr_assert_eq(run(a, "user.remove", "carol", NULL, &rows), 0);
	cr_assert_eq(run(a, "user.password", "bob", text, &rows), USER_ADMIN_NO_USER);
	cr_assert_eq(run(a, "user.password", "alice@example.com", text, &rows), 0);
	cr_assert_eq(run(a, "user.show", "bob", NULL, &rows), USER_ADMIN_NO_USER);
	cr_assert_eq(run(a, "user.show", "alice@example.com", NULL, &rows), 0);
	cr_assert_eq(rows.count, 2, "of the removal and of this");
	cr_assert_str_eq(rows.state, "active");
	cr_assert_eq(run(a, "user.suspend", "alice@example.com", "phished", &rows), 0);
	cr_assert_eq(run(a, "user.list", "", NULL, &rows), 0);
	cr_assert_eq(rows.count, 4);
	cr_assert_str_eq(rows.state, "suspended");
	cr_assert_eq(run(a, "user.resume", "alice@example.com", NULL, &rows), 0);
	cr_assert_eq(run(a, "user.remove", "alice@example.com", NULL, &rows), 0);
	cr_assert_eq(run(a, "user.remove", "alice@example.com", NULL, &rows), USER_ADMIN_NO_USER);
	cr_assert_eq(run(a, "user.burn", "alice@example.com", NULL, &rows), USER_ADMIN_USAGE);
	accounts_close(&a);
}

Test(accounts, the_answers_say_how_the_account_was)
{
	struct accounts *a = open_or_fail();
	struct scram_secret s = secret_for("x");
	char text[SCRAM_SECRET_TEXT_BYTES];
	struct rows rows = {0};

	scram_secret_text(&s, text);
	cr_assert_eq(run(a, "user.add", "alice@example.com", text, &rows), 0);
	cr_assert_eq(run(a, "user.resume", "alice@example.com", NULL, &rows), 0);
	cr_expect_str_eq(rows.text, "alice@example.com: was not suspended");
	cr_assert_eq(run(a, "user.suspend", "alice@example.com", "phished", &rows), 0);
	cr_expect_str_eq(rows.text, "alice@example.com: suspended");
	cr_expect_str_eq(rows.state, "suspended");
	cr_assert_eq(run(a, "user.suspend", "alice@example.com", NULL, &rows), 0);
	cr_expect(
	    strstr(rows.text, "alice@example.com: was suspended already, since 20") == rows.text);
	cr_expect(strstr(rows.text, ": phished"), "%s", rows.text);
	cr_assert_eq(run(a, "user.resume", "alice@example.com", NULL, &rows), 0);
	cr_expect_str_eq(rows.text, "alice@example.com: may log in again");
	cr_assert_eq(run(a, "user.remove", "alice@example.com", NULL, &rows), 0);
	cr_expect_str_eq(rows.state, "removed");
	accounts_close(&a);
}

static const struct {
	const char *domains, *name, *why; /* NULL: it may be added */
} names[] = {
    {"domains: ( { name = \"example.com\"; } );", "j\xc3\xb6rg@Example.COM", NULL},
    {"domains: ( { name = \"example.com\"; } );", "alice@elsewhere.example",
	"alice@elsewhere.example: the domain elsewhere.example is not configured; the configured "
	"domain "
	"is example.com"},
    {"domains: ( { name = \"example.com\"; }, { name = \"example.net\"; } );",
	"alice@sub.example.com",
	"alice@sub.example.com: the domain sub.example.com is not configured; configured domains "
	"are "
	"example.com, example.net"},
    {"domains: ( { name = \"example.com\"; }, { name = \"example.net\"; } );", "alice",
	"alice has no domain, and auth.default_domain is not set; configured domains are "
	"example.com, "
	"example.net"},
    {"domains: ( { name = \"example.com\"; }, { name = \"example.net\"; } ); "
     "auth: { default_domain = \"example.net\"; };",
	"alice", NULL},
    {"domains: ( { name = \"example.com\"; } );", "al ice@example.com",
	"a login name has no blanks and no control characters"},
    {"domains: ( { name = \"example.com\"; } );", "\"al ice\"@example.com",
	"a login name has no blanks and no control characters"},
    {"domains: ( { name = \"example.com\"; } );", "al\xc2\xa0ice@example.com", /* no-break space */
	"a login name has no blanks and no control characters"},
    {"domains: ( { name = \"example.com\"; } );", "al\xe2\x80\x8bice@example.com", /* zero width */
	"a login name has no blanks and no control characters"},
    {"domains: ( { name = \"example.com\"; } );", "al\xc2\x85ice@example.com", /* next line */
	"a login name has no blanks and no control characters"},
    {"domains: ( { name = \"example.com\"; } );", "a@b@example.com",
	"a@b@example.com is not a mail"},
    {"domains: ( { name = \"example.com\"; } );", "@example.com", "@example.com is not a mail"},
};

Test(accounts, new_names_are_checked)
{
	struct accounts *a = open_or_fail();
	struct scram_secret s = secret_for("x");
	char text[SCRAM_SECRET_TEXT_BYTES];
	struct rows rows = {0};

	scram_secret_text(&s, text);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		domains_text = names[i].domains;
		cr_expect_eq(run(a, "user.add", names[i].name, text, &rows),
		    names[i].why ? USER_ADMIN_DATA : USER_ADMIN_OK, "%s: %s", names[i].name,
		    rows.text);
		if (names[i].why)
			cr_expect(strncmp(rows.text, names[i].why, strlen(names[i].why)) == 0, "%s",
			    rows.text);
	}
	cr_expect_eq(run(a, "user.list", "", NULL, &rows), USER_ADMIN_OK);
	cr_expect_eq(rows.count, 2);
	accounts_close(&a);
}

/* An account that a former version allowed can be shown and removed. */
Test(accounts, an_exact_name_without_a_domain_is_used_first)
{
	struct accounts *a = open_or_fail();
	struct scram_secret s = secret_for("x");
	struct rows rows = {0};

	cr_assert_eq(accounts_add(a, STR("alice"), &s), ACCOUNTS_OK);
	cr_assert_eq(accounts_add(a, STR("alice@example.com"), &s), ACCOUNTS_OK);
	cr_assert_eq(run(a, "user.remove", "alice", NULL, &rows), USER_ADMIN_OK);
	cr_assert_str_eq(rows.text, "alice: removed");
	cr_assert_eq(run(a, "user.remove", "alice", NULL, &rows), USER_ADMIN_OK);
	cr_assert_str_eq(rows.text, "alice@example.com: removed");
	accounts_close(&a);
}

Test(accounts, the_tool_opens_the_store_without_the_daemon)
{
	struct accounts *a;
	struct stat st;
	struct buf text;

	buf_init(&text, 1024);
	a = user_admin_open(directory, STR("user.add"), &text);
	cr_assert_not_null(a, "%.*s", STR_ARG(buf_str(&text)));
	accounts_close(&a);
	cr_assert_eq(stat(file("accounts.db"), &st), 0);
	cr_assert_eq(st.st_uid, getuid());
	cr_assert_eq(st.st_mode & 0777, 0600);
	buf_clear(&text);
}

Test(accounts, generated_passwords_differ)
{
	char a[USER_ADMIN_PASSWORD_BYTES], b[USER_ADMIN_PASSWORD_BYTES];

	cr_assert_str_neq(user_admin_generate_password(a), user_admin_generate_password(b));
	cr_assert_eq(strlen(a), 23);
	cr_assert(claimed_is_valid_password(str_of(a)));
}

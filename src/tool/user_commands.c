/*
 * user_commands: accounts, through the running daemon or, when none runs, in its store.  The
 * password is converted into a secret here; it leaves this process in no other form.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/scram_secret.h"
#include "auth/user_admin.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "conf/login_name.h"
#include "conf/read.h"
#include "ipc/message.h"
#include "main/directory.h"
#include "main/os.h"
#include "tool/password_input.h"
#include "tool/print.h"
#include "tool/tool.h"
#include "tool/user_mail.h"

enum { ACCOUNTS_LISTED_MAX = 20 };

static void
print_account_row(struct str values, void *arg)
{
	print_row(values, arg);
}

/* Opens the directory of the accounts; root becomes their user, so that nothing is done as root in
 * a directory of another user.  -1: the error is printed. */
static int
open_account_directory(const struct conf *c, int *status_out)
{
	struct os_user identities[ROLE_KINDS];
	struct directory_spec spec = {
	    "state_directory", c->state_directory, &identities[ROLE_AUTH]};
	int fd;

	if (!os_role_users(c, identities)) {
		*status_out = EX_CONFIG;
		return -1;
	}
	fd = directory_open(&spec, status_out);
	if (fd < 0 || geteuid() != 0 ||
	    sandbox_become(identities[ROLE_AUTH].uid, identities[ROLE_AUTH].gid) == 0)
		return fd;
	fprintf(stderr, "sallyport: cannot become uid %u: %s\n", identities[ROLE_AUTH].uid,
	    strerror(errno));
	close(fd);
	*status_out = EX_NOPERM;
	return -1;
}

static int
run_on_account_store(
    const struct tool *t, const struct conf *c, const char *verb, tool_row_fn *fn, void *arg)
{
	char directory[40];
	struct accounts *a;
	struct buf text;
	int status = EX_IOERR, fd;

	fd = open_account_directory(c, &status);
	if (fd < 0)
		return status;
	/* by the descriptor: this user may not be allowed to search the directories above */
	snprintf(directory, sizeof directory, "/proc/self/fd/%d", fd);
	buf_init(&text, 4096);
	a = user_admin_open(directory, str_of(verb), &text);
	if (a) {
		struct user_admin_out out = {.row = fn, .arg = arg, .text = &text};

		if (accounts_is_new(a))
			fprintf(stderr, "sallyport: made a new account store %.*s/accounts.db\n",
			    STR_ARG(c->state_directory));
		status = user_admin_run(a, c, str_of(verb), buf_str(&t->values), &out);
		accounts_close(&a);
	}
	tool_print_result(t, status, buf_str(&text), fn != NULL);
	buf_clear(&text);
	close(fd);
	return status;
}

/* The keys that lead to the store may be in a file with errors: all errors must be corrected
 * first. */
int
tool_user_ask(struct tool *t, const char *verb, tool_row_fn *fn, void *arg)
{
	const struct conf *to_ask = tool_conf_to_ask(t);
	int status = tool_ask(t, to_ask, verb, fn, arg);
	struct conf *c;

	if (status != TOOL_NO_DAEMON)
		return status;
	if (t->is_config_hidden)
		return tool_report_no_daemon(t, to_ask);
	c = tool_conf(t);
	status = c ? run_on_account_store(t, c, verb, fn, arg) : EX_CONFIG;
	conf_drop(&c);
	return status;
}

/* ---- accounts and the configured domains ---- */

struct tool_accounts {
	const struct conf *conf;
	const char *file;
	struct conf_report *report;
	unsigned count;
};

static void
tool_check_account(struct str values, void *arg)
{
	struct tool_accounts *a = arg;
	struct str name = message_values_get(values, "name");

	if (login_name_is_covered(a->conf, name) || !str_has(name, '@'))
		return;
	a->report->warnings++;
	if (++a->count <= ACCOUNTS_LISTED_MAX)
		buf_addf(&a->report->text,
		    "%s: warning: domains: the account %.*s: no configured domain covers it: "
		    "it can log in, but its mail is refused\n",
		    a->file, STR_ARG(name));
}

/* A failed request is reported, so that the absence of warnings does not mean that all accounts are
 * right. */
static void
tool_warn_accounts_unchecked(const char *file, int status, struct conf_report *report)
{
	const char *why = status == EX_TEMPFAIL ? "the daemon did not list them in time"
	    : status == EX_IOERR              ? "the account store cannot be read"
	    : status == EX_NOPERM         ? "this user may not"
	                                     : "they cannot be asked for";

	if (status == 0 || status == TOOL_NO_DAEMON)
		return;
	report->warnings++;
	buf_addf(&report->text, "%s: warning: domains: the accounts were not checked: %s\n", file,
	    why);
}

/* The list of accounts comes from the daemon of this configuration, or from the store, if this user
 * may read it. */
void
tool_check_accounts(const char *file, const struct conf *c, struct conf_report *report)
{
	struct tool_accounts a = {.conf = c, .file = file, .report = report};
	struct tool asking = {.quiet = true, .uses_short_deadline = true};
	char path[4096];
	int status = TOOL_NO_DAEMON;

	snprintf(path, sizeof path, "%.*s/control.sock", STR_ARG(c->run_directory));
	if (access(path, R_OK | W_OK) == 0)
		status = tool_ask(&asking, c, "user.list", tool_check_account, &a);
	snprintf(path, sizeof path, "%.*s/accounts.db", STR_ARG(c->state_directory));
	if (status == TOOL_NO_DAEMON && access(path, R_OK | W_OK) == 0)
		status = run_on_account_store(&asking, c, "user.list", tool_check_account, &a);
	tool_warn_accounts_unchecked(file, status, report);
	if (a.count > ACCOUNTS_LISTED_MAX)
		buf_addf(&report->text, "%s: warning: domains: and %u more accounts\n", file,
		    a.count - ACCOUNTS_LISTED_MAX);
}

void
tool_warn_of_accounts(const struct tool *t)
{
	struct conf_report errors, found;
	struct conf *c;

	if (t->quiet)
		return;
	conf_report_init(&errors);
	conf_report_init(&found);
	c = conf_read_file(t->config_path, CONF_SECRETS_LEAVE, &errors);
	if (c && t->run_directory)
		c->run_directory = str_of(t->run_directory);
	if (c)
		tool_check_accounts(t->config_path, c, &found);
	fflush(stdout);
	fwrite(found.text.p, 1, found.text.n, stderr);
	conf_report_clear(&errors);
	conf_report_clear(&found);
	conf_drop(&c);
}

int
tool_user_name(struct tool *t, const struct operator_command *command)
{
	if (t->arg_count != 1) {
		fprintf(stderr, "usage: sallyport %s\n", command->usage);
		return EX_USAGE;
	}
	message_values_add(&t->values, "name", str_of(t->args[0]));
	return 0;
}

int
tool_user_list(struct tool *t, const struct operator_command *command)
{
	struct print_table table = {.tool = t,
	    .command = command->words,
	    .row = "",
	    .id_key = "name"};
	int status;

	status = tool_user_ask(t, command->verb, print_account_row, &table);
	if (status == 0)
		print_empty(&table, "no accounts");
	return status;
}

/* ---- suspend, resume and remove, with queued mail ---- */

int
tool_user_act(struct tool *t, const struct operator_command *command)
{
	struct tool_user_mail mail;
	int status = tool_user_name(t, command);

	if (status)
		return status;
	tool_user_mail_init(&mail, t, t->args[0]);
	t->hidden_status = t->release ? EX_NOUSER : 0;
	status = tool_user_ask(t, command->verb, tool_user_mail_take_account, &mail);
	t->hidden_status = 0;
	/* its text comes before that about the queue */
	fflush(stdout);
	if (status == EX_NOUSER && t->release)
		status = tool_user_mail_release_removed(&mail);
	else if (status == 0)
		status = tool_user_mail_finish(&mail, command->verb);
	tool_user_mail_clear(&mail);
	return status;
}

/* In UTF-8 every octet that does not continue a character begins one. */
static size_t
count_characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static int
choose_password(const struct tool *t, char password[PASSWORD_INPUT_BYTES])
{
	char made[USER_ADMIN_PASSWORD_BYTES];

	if (!t->generate) {
		if (!password_input_read(t->password_stdin, true, password))
			return EX_DATAERR;
		if (count_characters(password) >= PASSWORD_CHARACTERS_MIN)
			return 0;
		fprintf(stderr, "sallyport: the password is too short: at least %d characters are "
				"needed\n", PASSWORD_CHARACTERS_MIN);
		return EX_DATAERR;
	}
	snprintf(password, PASSWORD_INPUT_BYTES, "%s", user_admin_generate_password(made));
	return 0;
}

static int
add_secret(struct tool *t, const char *password)
{
	const struct conf *c = tool_conf_to_ask(t);
	char text[SCRAM_SECRET_TEXT_BYTES];
	struct scram_secret secret;

	if (!scram_secret_make(str_of(password), (uint32_t)c->auth.iterations, &secret)) {
		fputs("sallyport: that password cannot be used (1 to 1024 octets)\n", stderr);
		return EX_DATAERR;
	}
	message_values_add(&t->values, "secret", str_of(scram_secret_text(&secret, text)));
	mem_wipe(&secret, sizeof secret);
	mem_wipe(text, sizeof text);
	return 0;
}

static void
print_password(const struct tool *t, const char *password)
{
	struct buf values;

	if (!t->json) {
		printf("%s%s\n", t->quiet ? "" : "password: ", password);
		return;
	}
	buf_init(&values, TOOL_VALUES_MAX);
	message_values_add(&values, "password", str_of(password));
	print_json(buf_str(&values));
	mem_wipe(values.p, values.n);
	buf_clear(&values);
}

int
tool_user_secret(struct tool *t, const struct operator_command *command)
{
	char password[PASSWORD_INPUT_BYTES] = {0};
	int status = tool_user_name(t, command);

	if (status == 0)
		status = choose_password(t, password);
	if (status == 0)
		status = add_secret(t, password);
	if (status == 0)
		status = tool_user_ask(t, command->verb, NULL, NULL);
	if (status == 0 && t->generate)
		print_password(t, password);
	mem_wipe(password, sizeof password);
	return status;
}

/*
 * user_admin: one table of commands, and one function for each of them.
 */
#include "auth/user_admin.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "auth/account_names.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/login_name.h"
#include "ipc/message.h"

struct user_admin_command {
	struct accounts *accounts;
	struct str name; /* canonical */
	struct str values;
	struct user_admin_out *out;
};

typedef uint8_t user_admin_verb_fn(struct user_admin_command *r);

static uint8_t
report_on_user(struct user_admin_command *r, enum user_admin_exit code, const char *text)
{
	buf_addf(r->out->text, "%.*s: %s", STR_ARG(r->name), text);
	return (uint8_t)code;
}

static uint8_t
report_accounts_result(struct user_admin_command *r, enum accounts_result result, const char *done)
{
	switch (result) {
	case ACCOUNTS_OK:
		return report_on_user(r, USER_ADMIN_OK, done);
	case ACCOUNTS_NONE:
		return report_on_user(r, USER_ADMIN_NO_USER, "no such account");
	case ACCOUNTS_EXISTS:
		return report_on_user(r, USER_ADMIN_EXISTS, "exists already");
	case ACCOUNTS_DAMAGED:
		return report_on_user(r, USER_ADMIN_DATA,
		    "its stored data is damaged; set a new password, or "
		    "remove it and add it again");
	case ACCOUNTS_BROKEN:
		break;
	}
	return report_on_user(r, USER_ADMIN_IO, accounts_error(r->accounts));
}

static bool
parse_user_secret(struct user_admin_command *r, struct scram_secret *out)
{
	return scram_secret_parse(message_values_get(r->values, "secret"), out);
}

static uint8_t
store_user_secret(struct user_admin_command *r,
    enum accounts_result (*fn)(struct accounts *, struct str, const struct scram_secret *),
    const char *done)
{
	struct scram_secret secret;
	uint8_t code;

	if (!parse_user_secret(r, &secret))
		return report_on_user(r, USER_ADMIN_DATA, "the secret is malformed");
	code = report_accounts_result(r, fn(r->accounts, r->name, &secret), done);
	mem_wipe(&secret, sizeof secret);
	return code;
}

static uint8_t
add_user_account(struct user_admin_command *r)
{
	return store_user_secret(r, accounts_add, "added");
}

static uint8_t
set_user_password(struct user_admin_command *r)
{
	return store_user_secret(r, accounts_set_secret, "password changed");
}

/* The text of the answer, and after a success a row with the full name and the new state. */
static uint8_t
report_account_state(struct user_admin_command *r, enum accounts_result result, const char *state,
    const char *done)
{
	uint8_t code = report_accounts_result(r, result, done);
	struct buf row;

	if (code != USER_ADMIN_OK || !r->out->row)
		return code;
	buf_init(&row, 4096);
	message_values_add(&row, "row", STR("account"));
	message_values_add(&row, "name", r->name);
	message_values_add(&row, "state", str_of(state));
	message_values_add(&row, "text", buf_str(r->out->text));
	r->out->row(buf_str(&row), r->out->arg);
	buf_clear(&row);
	return code;
}

static bool
user_is_suspended(struct user_admin_command *r, bool *is_known_out)
{
	struct account account = {0};
	enum accounts_result found = accounts_find(r->accounts, r->name, &account);

	*is_known_out = found == ACCOUNTS_OK;
	mem_wipe(&account.secret, sizeof account.secret);
	return *is_known_out && account.is_suspended;
}

/* "was suspended already, since 2026-...: phished" */
static void
describe_suspension(struct user_admin_command *r, struct buf *out)
{
	struct account account = {0};
	char time[CLOCK_TEXT_BYTES];

	buf_addz(out, "was suspended already");
	if (accounts_find(r->accounts, r->name, &account) == ACCOUNTS_OK) {
		buf_addf(out, ", since %s", clock_iso(account.suspended_ms, time));
		buf_addf(out, "%s%s", account.reason[0] ? ": " : "", account.reason);
	}
	mem_wipe(&account.secret, sizeof account.secret);
	buf_addc(out, 0);
}

static uint8_t
suspend_user(struct user_admin_command *r)
{
	struct str reason = message_values_get(r->values, "reason");
	enum accounts_result result;
	struct buf done;
	bool is_known;
	uint8_t code;

	if (!str_is_utf8(reason) || reason.n > ACCOUNTS_REASON_MAX)
		return report_on_user(
		    r, USER_ADMIN_DATA, "the reason is not text of at most 255 bytes");
	r->out->was_suspended = user_is_suspended(r, &is_known);
	result = accounts_suspend(r->accounts, r->name, reason);
	buf_init(&done, 512);
	if (r->out->was_suspended)
		describe_suspension(r, &done);
	code = report_account_state(
	    r, result, "suspended", r->out->was_suspended ? (char *)done.p : "suspended");
	buf_clear(&done);
	return code;
}

static uint8_t
resume_user(struct user_admin_command *r)
{
	bool is_known;

	r->out->was_suspended = user_is_suspended(r, &is_known);
	return report_account_state(r, accounts_resume(r->accounts, r->name), "active",
	    is_known && !r->out->was_suspended ? "was not suspended" : "may log in again");
}

static uint8_t
remove_user(struct user_admin_command *r)
{
	return report_account_state(r, accounts_remove(r->accounts, r->name), "removed", "removed");
}

static void
add_account_time(struct buf *row, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_BYTES];

	message_values_add(row, key, str_of(clock_iso(ms, text)));
}

static void
add_account_row(const struct account *a, void *arg)
{
	struct user_admin_command *r = arg;
	char iterations[16];
	struct buf row;

	buf_init(&row, 4096);
	snprintf(iterations, sizeof iterations, "%u", a->secret.iterations);
	message_values_add(&row, "name", str_of(a->name));
	message_values_add(&row, "state", a->is_suspended ? STR("suspended") : STR("active"));
	message_values_add(&row, "reason", str_of(a->reason));
	add_account_time(&row, "created", a->created_ms);
	add_account_time(&row, "password_changed", a->changed_ms);
	if (a->is_suspended)
		add_account_time(&row, "suspended", a->suspended_ms);
	message_values_add(&row, "iterations", str_of(iterations));
	r->out->row(buf_str(&row), r->out->arg);
	buf_clear(&row);
}

static uint8_t
list_user_accounts(struct user_admin_command *r)
{
	if (accounts_each(r->accounts, add_account_row, r) == ACCOUNTS_OK)
		return USER_ADMIN_OK;
	buf_addz(r->out->text, accounts_error(r->accounts));
	return USER_ADMIN_IO;
}

static uint8_t
show_user_account(struct user_admin_command *r)
{
	struct account account;
	enum accounts_result result = accounts_find(r->accounts, r->name, &account);

	if (result != ACCOUNTS_OK)
		return report_accounts_result(r, result, "");
	add_account_row(&account, r);
	mem_wipe(&account, sizeof account);
	return USER_ADMIN_OK;
}

enum { NAMED = 1, CHANGE = 2, END = 4, NEW = 8 };

static const struct user_admin_verb {
	const char *name;
	user_admin_verb_fn *fn;
	unsigned flags;
} verbs[] = {
    {"user.add", add_user_account, NAMED | CHANGE | NEW},
    {"user.password", set_user_password, NAMED | CHANGE},
    {"user.suspend", suspend_user, NAMED | CHANGE | END},
    {"user.resume", resume_user, NAMED | CHANGE},
    {"user.remove", remove_user, NAMED | CHANGE | END},
    {"user.list", list_user_accounts, 0},
    {"user.show", show_user_account, NAMED},
};

static const struct user_admin_verb *
find_user_verb(struct str verb)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (str_eq(str_of(verbs[i].name), verb))
			return &verbs[i];
	return NULL;
}

static bool
user_verb_has_flag(struct str verb, unsigned flag)
{
	const struct user_admin_verb *v = find_user_verb(verb);

	return v && (v->flags & flag);
}

bool
user_admin_is_verb(struct str verb)
{
	return find_user_verb(verb) != NULL;
}

bool
user_admin_is_change(struct str verb)
{
	return user_verb_has_flag(verb, CHANGE);
}

bool
user_admin_ends_sessions(struct str verb)
{
	return user_verb_has_flag(verb, END);
}

static enum accounts_result
look_up_in_accounts(void *accounts, struct str name, struct account *out)
{
	return accounts_find(accounts, name, out);
}

/* Finds the account that the command is about. */
static uint8_t
resolve_user_target(struct user_admin_command *r, const struct conf *conf, bool is_new)
{
	struct claimed_identity *target = &r->out->target;
	struct str domain = login_name_domain(conf);
	enum accounts_result found = ACCOUNTS_NONE;
	struct account account;

	if (!claimed_set_user(message_values_get(r->values, "name"), target)) {
		buf_addz(r->out->text,
		    "a login name has 1 to 255 bytes, no control characters, and "
		    "no blank at either end");
		return USER_ADMIN_DATA;
	}
	if (is_new)
		(void)claimed_complete(target, domain);
	else if (!str_has(claimed_name(target), '@'))
		found =
		    account_names_find(look_up_in_accounts, r->accounts, domain, target, &account);
	mem_wipe(&account, sizeof account);
	r->name = claimed_name(target);
	if (found == ACCOUNTS_BROKEN)
		return report_accounts_result(r, found, "");
	return !is_new || account_names_may_add(conf, r->name, r->out->text) ? USER_ADMIN_OK
	                                                                     : USER_ADMIN_DATA;
}

uint8_t
user_admin_run(struct accounts *a, const struct conf *conf, struct str verb, struct str values,
    struct user_admin_out *out)
{
	const struct user_admin_verb *v = find_user_verb(verb);
	struct user_admin_command r = {.accounts = a, .values = values, .out = out};
	uint8_t code = USER_ADMIN_OK;

	if (!v) {
		buf_addz(out->text, "unknown verb");
		return USER_ADMIN_USAGE;
	}
	if (v->flags & NAMED)
		code = resolve_user_target(&r, conf, v->flags & NEW);
	return code == USER_ADMIN_OK ? v->fn(&r) : code;
}

/* ---- without the daemon ---- */

enum accounts_absent
user_admin_absent_store(struct str verb)
{
	return str_eq(verb, STR("user.add")) ? ACCOUNTS_MAKE : ACCOUNTS_REFUSE;
}

struct accounts *
user_admin_open(const char *directory, struct str verb, struct buf *text)
{
	char error[ACCOUNTS_ERROR_BYTES];
	struct accounts *a = accounts_open(directory, user_admin_absent_store(verb), error);
	int saved_errno = errno;

	if (!a)
		buf_addz(text, error);
	errno = saved_errno;
	return a;
}

/* The alphabet of Crockford's base 32: no character looks like another one. */
char *
user_admin_generate_password(char out[USER_ADMIN_PASSWORD_BYTES])
{
	static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint8_t random[20];
	size_t n = 0;

	if (gnutls_rnd(GNUTLS_RND_KEY, random, sizeof random) != 0)
		die("no random bytes");
	for (size_t i = 0; i < sizeof random; i++) {
		if (i && i % 5 == 0)
			out[n++] = '-';
		out[n++] = alphabet[random[i] & 31];
	}
	out[n] = 0;
	mem_wipe(random, sizeof random);
	return out;
}

/*
 * user_admin: one table of verbs.
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

struct run {
	struct accounts *accounts;
	struct str name; /* canonical */
	struct str values;
	struct users_out *out;
};

typedef uint8_t verb_fn(struct run *r);

static uint8_t
say(struct run *r, enum users_exit code, const char *what)
{
	buf_addf(r->out->text, "%.*s: %s", STR_ARG(r->name), what);
	return (uint8_t)code;
}

static uint8_t
tell(struct run *r, enum accounts_result result, const char *done)
{
	switch (result) {
	case ACCOUNTS_OK:
		return say(r, USERS_OK, done);
	case ACCOUNTS_NONE:
		return say(r, USERS_NO_USER, "no such user");
	case ACCOUNTS_EXISTS:
		return say(r, USERS_EXISTS, "exists already");
	case ACCOUNTS_DAMAGED:
		return say(r, USERS_DATA, "what is stored of it is damaged; set a new password, or "
			"remove it and add it again");
	case ACCOUNTS_BROKEN:
		break;
	}
	return say(r, USERS_IO, accounts_error(r->accounts));
}

static bool
read_secret(struct run *r, struct secret *out)
{
	return secret_parse(message_values_get(r->values, "secret"), out);
}

static uint8_t
with_secret(struct run *r,
    enum accounts_result (*fn)(struct accounts *, struct str, const struct secret *),
    const char *done)
{
	struct secret secret;
	uint8_t code;

	if (!read_secret(r, &secret))
		return say(r, USERS_DATA, "the secret is malformed");
	code = tell(r, fn(r->accounts, r->name, &secret), done);
	mem_wipe(&secret, sizeof secret);
	return code;
}

static uint8_t
add(struct run *r)
{
	return with_secret(r, accounts_add, "added");
}

static uint8_t
password(struct run *r)
{
	return with_secret(r, accounts_set_secret, "password changed");
}

static uint8_t
suspend(struct run *r)
{
	struct str reason = message_values_get(r->values, "reason");

	if (!str_is_utf8(reason) || reason.n > ACCOUNTS_REASON_MAX)
		return say(r, USERS_DATA, "the reason is not text of at most 255 bytes");
	return tell(r, accounts_suspend(r->accounts, r->name, reason), "suspended");
}

static uint8_t
resume(struct run *r)
{
	return tell(r, accounts_resume(r->accounts, r->name), "may log in again");
}

static uint8_t
remove_user(struct run *r)
{
	return tell(r, accounts_remove(r->accounts, r->name), "removed");
}

static void
add_time(struct buf *row, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_BYTES];

	message_values_add(row, key, str_of(clock_iso(ms, text)));
}

static void
tell_account(const struct account *a, void *arg)
{
	struct run *r = arg;
	char iterations[16];
	struct buf row;

	buf_init(&row, 4096);
	snprintf(iterations, sizeof iterations, "%u", a->secret.iterations);
	message_values_add(&row, "name", str_of(a->name));
	message_values_add(&row, "state", a->is_suspended ? STR("suspended") : STR("active"));
	message_values_add(&row, "reason", str_of(a->reason));
	add_time(&row, "created", a->created_ms);
	add_time(&row, "password_changed", a->changed_ms);
	if (a->is_suspended)
		add_time(&row, "suspended", a->suspended_ms);
	message_values_add(&row, "iterations", str_of(iterations));
	r->out->row(buf_str(&row), r->out->arg);
	buf_clear(&row);
}

static uint8_t
list(struct run *r)
{
	if (accounts_each(r->accounts, tell_account, r) == ACCOUNTS_OK)
		return USERS_OK;
	buf_addz(r->out->text, accounts_error(r->accounts));
	return USERS_IO;
}

static uint8_t
show(struct run *r)
{
	struct account account;
	enum accounts_result result = accounts_find(r->accounts, r->name, &account);

	if (result != ACCOUNTS_OK)
		return tell(r, result, "");
	tell_account(&account, r);
	mem_wipe(&account, sizeof account);
	return USERS_OK;
}

enum { NAMED = 1, CHANGE = 2, END = 4, NEW = 8 };

static const struct verb {
	const char *name;
	verb_fn *fn;
	unsigned flags;
} verbs[] = {
    {"user.add", add, NAMED | CHANGE | NEW},
    {"user.password", password, NAMED | CHANGE},
    {"user.suspend", suspend, NAMED | CHANGE | END},
    {"user.resume", resume, NAMED | CHANGE},
    {"user.remove", remove_user, NAMED | CHANGE | END},
    {"user.list", list, 0},
    {"user.show", show, NAMED},
};

static const struct verb *
find(struct str verb)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (str_eq(str_of(verbs[i].name), verb))
			return &verbs[i];
	return NULL;
}

static bool
has_flag(struct str verb, unsigned flag)
{
	const struct verb *v = find(verb);

	return v && (v->flags & flag);
}

bool
users_is_verb(struct str verb)
{
	return find(verb) != NULL;
}

bool
users_is_change(struct str verb)
{
	return has_flag(verb, CHANGE);
}

bool
users_is_end(struct str verb)
{
	return has_flag(verb, END);
}

static enum accounts_result
look_up(void *accounts, struct str name, struct account *out)
{
	return accounts_find(accounts, name, out);
}

/* Whom the verb is about. */
static uint8_t
resolve(struct run *r, const struct conf *conf, bool is_new)
{
	struct claim *target = &r->out->target;
	struct str domain = login_name_domain(conf);
	enum accounts_result found = ACCOUNTS_NONE;
	struct account account;

	if (!claim_user(message_values_get(r->values, "name"), target)) {
		buf_addz(r->out->text, "a login name has 1 to 255 bytes, no controls, and no blank "
				       "at an end");
		return USERS_DATA;
	}
	if (is_new)
		(void)claim_complete(target, domain);
	else if (!str_has(claim_name(target), '@'))
		found = naming_find(look_up, r->accounts, domain, target, &account);
	mem_wipe(&account, sizeof account);
	r->name = claim_name(target);
	if (found == ACCOUNTS_BROKEN)
		return tell(r, found, "");
	return !is_new || naming_may_add(conf, r->name, r->out->text) ? USERS_OK : USERS_DATA;
}

uint8_t
users_run(struct accounts *a, const struct conf *conf, struct str verb, struct str values,
    struct users_out *out)
{
	const struct verb *v = find(verb);
	struct run r = {.accounts = a, .values = values, .out = out};
	uint8_t fault = USERS_OK;

	if (!v) {
		buf_addz(out->text, "unknown verb");
		return USERS_USAGE;
	}
	if (v->flags & NAMED)
		fault = resolve(&r, conf, v->flags & NEW);
	return fault == USERS_OK ? v->fn(&r) : fault;
}

/* ---- without the daemon ---- */

enum accounts_absent
users_absent(struct str verb)
{
	return str_eq(verb, STR("user.add")) ? ACCOUNTS_MAKE : ACCOUNTS_REFUSE;
}

struct accounts *
users_open(const char *directory, struct str verb, struct buf *text)
{
	char error[ACCOUNTS_ERROR_BYTES];
	struct accounts *a = accounts_open(directory, users_absent(verb), error);
	int failed = errno;

	if (!a)
		buf_addz(text, error);
	errno = failed;
	return a;
}

/* Crockford's alphabet: nothing that reads like something else. */
char *
users_generate(char out[USERS_PASSWORD_BYTES])
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

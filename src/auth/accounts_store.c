/*
 * accounts_store: the store is opened, used, closed when it fails, opened again a second later, and
 * replaced when another file is in its place.
 */
#include "auth/accounts_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/account_names.h"
#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/login_name.h"

enum {
	OPEN_AGAIN_MS = 1000,
	LOG_AGAIN_MS = 600 * 1000, /* for a store that still cannot be used, or a damaged account */
	PROBE_MS = 60 * 1000,      /* after a lookup that failed */
};

const char *
accounts_store_advice(const struct accounts_store *s)
{
	return s->is_missing ? "; put it back, or make a new one with sallyport user add" : "";
}

/* Logged once for each reason, and again after LOG_AGAIN_MS. */
static void
log_store_trouble(struct accounts_store *s, const char *why)
{
	int64_t now_ms = clock_mono_ms();

	if (strcmp(s->logged_trouble, why) == 0 &&
	    now_ms < s->logged_ms + clock_timeout_ms(LOG_AGAIN_MS))
		return;
	snprintf(s->logged_trouble, sizeof s->logged_trouble, "%s", why);
	s->logged_ms = now_ms;
	log_error("accounts: %s in %.*s: logins are answered with 454 until it can be used%s", why,
	    STR_ARG(s->role->conf->state_directory), accounts_store_advice(s));
}

/* The store did what was asked. This is logged after a failure, but not while the lookup of a name
 * still fails: other lookups say nothing about that name. */
static void
log_store_usable_again(struct accounts_store *s)
{
	if (!s->logged_trouble[0] || s->failed_count)
		return;
	s->logged_trouble[0] = 0;
	s->trouble[0] = 0;
	log_warn("accounts: the store in %.*s can be used again",
	    STR_ARG(s->role->conf->state_directory));
}

static void
note_store_trouble(struct accounts_store *s, const char *why)
{
	log_store_trouble(s, why);
	snprintf(s->trouble, sizeof s->trouble, "%s", why);
}

/* The store failed; the reason is logged, and the store is opened again a second later. */
static void
close_accounts_store(struct accounts_store *s, const char *why)
{
	note_store_trouble(s, why);
	accounts_close(&s->accounts);
	s->open_after_ms = clock_mono_ms() + OPEN_AGAIN_MS;
	s->changes++;
}

static void
open_accounts_store(struct accounts_store *s, enum accounts_absent absent)
{
	char error[ACCOUNTS_ERROR_BYTES];

	s->open_after_ms = clock_mono_ms() + OPEN_AGAIN_MS;
	s->store_file = (struct store_file){0};
	(void)!store_file_note(&s->store_file, s->directory); /* the file may not exist yet */
	s->accounts = accounts_open(s->directory, absent, error);
	s->is_missing = !s->accounts && errno == ENOENT;
	if (s->accounts && !store_file_note(&s->store_file, s->directory)) {
		accounts_close(&s->accounts);
		snprintf(error, sizeof error, "accounts.db was replaced while it was opened");
	}
	if (!s->accounts) {
		close_accounts_store(s, error);
		return;
	}
	s->absent = ACCOUNTS_REFUSE;
	/* a store that can be opened may still fail in the lookup that failed before */
	if (!s->failed_count)
		s->trouble[0] = 0;
	if (accounts_is_new(s->accounts))
		log_warn("made a new account store %.*s/accounts.db",
		    STR_ARG(s->role->conf->state_directory));
}

struct accounts *
accounts_store_current(struct accounts_store *s)
{
	if (!s->accounts && clock_mono_ms() >= s->open_after_ms)
		open_accounts_store(s, s->absent);
	return s->accounts;
}

/* ---- another file in its place ---- */

/* What was read from the former store is not valid any more, and the broker drops the passwords
 * that it remembers. */
static void
switch_accounts_store(struct accounts_store *s)
{
	accounts_close(&s->accounts);
	s->changes++;
	s->exchanges++;
	open_accounts_store(s, s->absent);
	if (s->accounts)
		log_warn("accounts: another accounts.db is in %.*s than the one that was open, or "
			 "it was overwritten: it is the account store from now on; open sessions "
			 "continue",
		    STR_ARG(s->role->conf->state_directory));
}

static bool
is_store_directory_gone(struct accounts_store *s, struct buf *text)
{
	char path[PATH_MAX];
	bool was_gone = s->state_directory.is_gone;
	bool is_gone = store_file_directory_is_gone(&s->state_directory, s->directory, path);

	if (is_gone && !was_gone)
		log_error("accounts: %s (it was %s, it is now %s)", store_file_directory_gone_text,
		    s->state_directory.path, path);
	if (!is_gone && was_gone)
		log_warn("accounts: the state directory is at its former path again");
	if (is_gone && text)
		buf_addz(text, store_file_directory_gone_text);
	return is_gone;
}

/* ---- commands of operators ---- */

/* The store that is at the path now, for a command; NULL: text has the reason. */
static struct accounts *
store_for_command(struct accounts_store *s, struct str verb, struct buf *text)
{
	enum store_file_state state =
	    s->accounts ? store_file_compare(&s->store_file, s->directory) : STORE_FILE_SAME;
	int saved_errno = errno;

	if (user_admin_is_change(verb) && is_store_directory_gone(s, text))
		return NULL;
	if (state == STORE_FILE_UNKNOWN && user_admin_is_change(verb)) {
		buf_addf(text, "accounts.db cannot be examined: %s", error_text(saved_errno));
		return NULL;
	}
	if (state == STORE_FILE_OTHER)
		switch_accounts_store(s);
	if (!accounts_store_current(s) && s->is_missing &&
	    user_admin_absent_store(verb) == ACCOUNTS_MAKE)
		open_accounts_store(s, ACCOUNTS_MAKE);
	if (!s->accounts)
		buf_addf(text, "the account store cannot be used: %s%s; see the log", s->trouble,
		    accounts_store_advice(s));
	return s->accounts;
}

uint8_t
accounts_store_run(
    struct accounts_store *s, const struct message_admin *m, struct user_admin_out *out)
{
	struct accounts *a = store_for_command(s, m->verb, out->text);
	uint8_t code;

	if (!a)
		return USER_ADMIN_IO;
	code = user_admin_run(a, s->role->conf, m->verb, m->values, out);
	if (code == USER_ADMIN_IO) {
		close_accounts_store(s, accounts_error(a));
		return code;
	}
	log_store_usable_again(s);
	if (!user_admin_is_change(m->verb) || store_file_note(&s->store_file, s->directory))
		return code;
	switch_accounts_store(s);
	buf_clear(out->text);
	buf_addf(out->text, "accounts.db was replaced or removed meanwhile: repeat the command");
	return USER_ADMIN_IO;
}

/* ---- lookups ---- */

/* Logged once for each name, and again after LOG_AGAIN_MS, for at most ACCOUNTS_STORE_DAMAGED_MAX
 * names. */
static void
log_damaged_account(struct accounts_store *s, struct str user)
{
	int64_t now_ms = clock_mono_ms();
	struct accounts_store_damaged *oldest = &s->damaged[0];
	struct log_line l;

	for (int i = 0; i < ACCOUNTS_STORE_DAMAGED_MAX; i++) {
		struct accounts_store_damaged *damaged = &s->damaged[i];

		if (damaged->name[0] && str_eq(str_of(damaged->name), user)) {
			oldest = damaged;
			break;
		}
		if (damaged->at_ms < oldest->at_ms)
			oldest = damaged;
	}
	if (oldest->name[0] && now_ms < oldest->at_ms + clock_timeout_ms(LOG_AGAIN_MS))
		return;
	snprintf(oldest->name, sizeof oldest->name, "%.*s", STR_ARG(user));
	oldest->at_ms = now_ms;
	log_begin(&l, LOG_ERR, "account damaged");
	log_user(&l, "user", user);
	log_quoted(&l, "text", STR("its logins are answered with 454; set a new password, "
				   "or remove it and add it again"));
	log_end(&l);
}

static void
clear_failed_name(struct accounts_store *s, struct str user)
{
	for (unsigned i = 0; i < s->failed_count; i++)
		if (str_eq(str_of(s->failed_names[i]), user)) {
			s->failed_count--;
			memmove(s->failed_names[i], s->failed_names[i + 1],
			    (s->failed_count - i) * sizeof *s->failed_names);
			return;
		}
}

/* When the list is full, the oldest name is dropped. */
static void
note_failed_name(struct accounts_store *s, struct str user)
{
	clear_failed_name(s, user);
	if (s->failed_count == ACCOUNTS_STORE_FAILED_MAX)
		memmove(s->failed_names[0], s->failed_names[1],
		    --s->failed_count * sizeof *s->failed_names);
	snprintf(
	    s->failed_names[s->failed_count++], sizeof *s->failed_names, "%.*s", STR_ARG(user));
	s->probe_after_ms = clock_mono_ms() + clock_timeout_ms(PROBE_MS);
}

/* What SQLite has read of the file may be out of date, or another file is in its place. The lookup
 * may also fail again: opening the file does not read every page, and one of them may be damaged.
 */
static enum accounts_result
find_after_reopen(struct accounts_store *s, struct str user, struct account *out)
{
	enum accounts_result result;

	note_store_trouble(s, accounts_error(s->accounts));
	note_failed_name(s, user);
	if (clock_mono_ms() < s->open_after_ms)
		return ACCOUNTS_BROKEN;
	accounts_close(&s->accounts);
	s->changes++;
	open_accounts_store(s, s->absent);
	if (!s->accounts)
		return ACCOUNTS_BROKEN;
	result = accounts_find(s->accounts, user, out);
	if (result == ACCOUNTS_BROKEN)
		note_store_trouble(s, accounts_error(s->accounts));
	return result;
}

static enum accounts_result
accounts_store_find(struct accounts_store *s, struct str user, struct account *out)
{
	struct accounts *a = accounts_store_current(s);
	enum accounts_result result = a ? accounts_find(a, user, out) : ACCOUNTS_BROKEN;

	if (a && result == ACCOUNTS_BROKEN)
		result = find_after_reopen(s, user, out);
	if (result == ACCOUNTS_DAMAGED)
		log_damaged_account(s, user);
	if (result == ACCOUNTS_BROKEN)
		return result;
	clear_failed_name(s, user);
	if (result != ACCOUNTS_DAMAGED)
		log_store_usable_again(s);
	return result;
}

static enum accounts_result
look_up_in_accounts_store(void *store, struct str user, struct account *out)
{
	return accounts_store_find(store, user, out);
}

/* Between two lookups the store may have been opened again, and be another one: the "no such
 * account" of the former store does not hold for it. */
enum accounts_result
accounts_store_find_claimed(
    struct accounts_store *s, struct claimed_identity *identity, struct account *out)
{
	struct str domain = login_name_domain(s->role->conf);
	const struct claimed_identity original = *identity;
	uint64_t changes = s->changes;
	enum accounts_result found =
	    account_names_find(look_up_in_accounts_store, s, domain, identity, out);

	if (found == ACCOUNTS_BROKEN || changes == s->changes)
		return found;
	*identity = original;
	return account_names_find(look_up_in_accounts_store, s, domain, identity, out);
}

/* ---- at intervals ---- */

static void
probe_failed_names(struct accounts_store *s)
{
	char names[ACCOUNTS_STORE_FAILED_MAX][sizeof *s->failed_names];
	unsigned count = s->failed_count;
	struct account account;

	if (!accounts_store_current(s) || clock_mono_ms() < s->probe_after_ms)
		return;
	memcpy(names, s->failed_names, sizeof names);
	for (unsigned i = 0; i < count; i++)
		(void)accounts_store_find(s, str_of(names[i]), &account);
	mem_wipe(&account, sizeof account);
}

void
accounts_store_tick(struct accounts_store *s)
{
	(void)!is_store_directory_gone(s, NULL);
	if (s->accounts && store_file_compare(&s->store_file, s->directory) == STORE_FILE_OTHER)
		switch_accounts_store(s);
	probe_failed_names(s);
}

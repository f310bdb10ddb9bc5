/*
 * broker_store: the account store in the broker: it is opened, used, closed when it fails, opened
 * again a second later, and replaced when another file is in its place.
 */
#include "auth/broker_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/account_names.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "conf/login_name.h"

enum {
	OPEN_AGAIN_MS = 1000,
	LOG_AGAIN_MS = 600 * 1000, /* for a store that still cannot be used, or a damaged account */
	PROBE_MS = 60 * 1000,      /* after a lookup that failed */
	TROUBLE_BYTES = (int)ACCOUNTS_ERROR_BYTES + (int)BLOCKLIST_ERROR_BYTES + 240,
	CHECK_FILE_EVERY_S = 2,
};

_Static_assert((size_t)ACCOUNTS_ERROR_BYTES <= (size_t)METRICS_TROUBLE_BYTES,
    "sallyport status shows the error of the store whole");

static const char broker_directory_gone_text[] =
    "the state directory was moved or removed while it is in use: no account or block can be "
    "changed: put it back, or restart sallyportd";

static const char *
broker_advice(const struct broker *b)
{
	return b->is_missing ? "; put it back, or make a new one with sallyport user add" : "";
}

/* Logged once for each reason, and again after LOG_AGAIN_MS. */
static void
broker_log_trouble(struct broker *b, const char *why)
{
	int64_t now_ms = clock_mono_ms();

	if (strcmp(b->logged_trouble, why) == 0 &&
	    now_ms < b->logged_ms + clock_timeout_ms(LOG_AGAIN_MS))
		return;
	snprintf(b->logged_trouble, sizeof b->logged_trouble, "%s", why);
	b->logged_ms = now_ms;
	log_error("accounts: %s in %.*s: logins are answered with 454 until it can be used%s", why,
	    STR_ARG(b->role->conf->state_directory), broker_advice(b));
}

void
broker_show_trouble(const struct broker *b)
{
	const char *blocks = b->blocks ? blocklist_error(b->blocks) : "";
	struct buf text;

	buf_init(&text, TROUBLE_BYTES);
	if (b->is_directory_gone)
		buf_addf(&text, "%s%s", broker_directory_gone_text,
		    b->trouble[0] || blocks[0] ? "; " : "");
	buf_addf(&text, "%s%s%s%s", b->trouble, b->trouble[0] ? broker_advice(b) : "",
	    b->trouble[0] && blocks[0] ? "; " : "", blocks);
	buf_addc(&text, 0);
	metrics_trouble(text.p);
	buf_clear(&text);
}

static void
broker_clear_trouble(struct broker *b)
{
	b->trouble[0] = 0;
	broker_show_trouble(b);
}

/* The store did what was asked. This is logged after a failure, but not while the lookup of a name
 * still fails: other lookups say nothing about that name. */
static void
broker_log_usable_again(struct broker *b)
{
	if (!b->logged_trouble[0] || b->failed_count)
		return;
	b->logged_trouble[0] = 0;
	broker_clear_trouble(b);
	log_warn("accounts: the store in %.*s can be used again",
	    STR_ARG(b->role->conf->state_directory));
}

static void
broker_note_trouble(struct broker *b, const char *why)
{
	broker_log_trouble(b, why);
	snprintf(b->trouble, sizeof b->trouble, "%s", why);
	broker_show_trouble(b);
}

/* The store failed; the reason is logged, and the store is opened again a second later. */
static void
broker_close_store(struct broker *b, const char *why)
{
	broker_note_trouble(b, why);
	accounts_close(&b->accounts);
	b->open_after_ms = clock_mono_ms() + OPEN_AGAIN_MS;
	b->changes++;
}

static void
broker_open_store(struct broker *b, enum accounts_absent absent)
{
	char error[ACCOUNTS_ERROR_BYTES];

	b->open_after_ms = clock_mono_ms() + OPEN_AGAIN_MS;
	b->store_file = (struct store_file){0};
	(void)!store_file_note(&b->store_file, b->directory); /* the file may not exist yet */
	b->accounts = accounts_open(b->directory, absent, error);
	b->is_missing = !b->accounts && errno == ENOENT;
	if (b->accounts && !store_file_note(&b->store_file, b->directory)) {
		accounts_close(&b->accounts);
		snprintf(error, sizeof error, "accounts.db was replaced while it was opened");
	}
	if (!b->accounts) {
		broker_close_store(b, error);
		return;
	}
	b->absent = ACCOUNTS_REFUSE;
	/* a store that can be opened may still fail in the lookup that failed before */
	if (!b->failed_count)
		broker_clear_trouble(b);
	if (accounts_is_new(b->accounts))
		log_warn("made a new account store %.*s/accounts.db",
		    STR_ARG(b->role->conf->state_directory));
}

struct accounts *
broker_store(struct broker *b)
{
	if (!b->accounts && clock_mono_ms() >= b->open_after_ms)
		broker_open_store(b, b->absent);
	return b->accounts;
}

/* ---- another file in its place ---- */

/* What was read from the former store is not valid any more, and remembered passwords are dropped.
 */
static void
broker_switch_store(struct broker *b)
{
	accounts_close(&b->accounts);
	b->changes++;
	password_cache_free(&b->cache);
	b->cache = password_cache_new();
	broker_open_store(b, b->absent);
	if (b->accounts)
		log_warn("accounts: another accounts.db is in %.*s than the one that was open, or "
			 "it was overwritten: it is the account store from now on; open sessions "
			 "continue",
		    STR_ARG(b->role->conf->state_directory));
}

bool
broker_is_directory_gone(struct broker *b, struct buf *text)
{
	char path[PATH_MAX];
	bool is_gone = b->is_directory_gone;

	store_file_directory_path(b->directory, path);
	/* if the path cannot be read, the last result stays */
	if (b->directory_path[0] && path[0])
		is_gone = strcmp(path, b->directory_path) != 0;
	if (is_gone && !b->is_directory_gone)
		log_error("accounts: %s (it was %s, it is now %s)", broker_directory_gone_text,
		    b->directory_path, path);
	if (!is_gone && b->is_directory_gone)
		log_warn("accounts: the state directory is at its former path again");
	if (is_gone != b->is_directory_gone) {
		b->is_directory_gone = is_gone;
		broker_show_trouble(b);
	}
	if (is_gone && text)
		buf_addz(text, broker_directory_gone_text);
	return is_gone;
}

static void
broker_check_store_file(evutil_socket_t fd, short what, void *arg)
{
	struct broker *b = arg;

	(void)fd;
	(void)what;
	(void)!broker_is_directory_gone(b, NULL);
	if (b->accounts && store_file_compare(&b->store_file, b->directory) == STORE_FILE_OTHER)
		broker_switch_store(b);
	else
		(void)broker_store(b);
}

void
broker_watch_store(struct broker *b)
{
	struct timeval interval = {.tv_sec = CHECK_FILE_EVERY_S};

	store_file_directory_path(b->directory, b->directory_path);
	b->store_timer = event_new(b->role->base, -1, EV_PERSIST, broker_check_store_file, b);
	if (!b->store_timer || evtimer_add(b->store_timer, &interval) != 0)
		die("no event to check the account store");
}

/* ---- commands of operators ---- */

/* The store that is at the path now, for a command; NULL: text has the reason. */
static struct accounts *
broker_current_store(struct broker *b, struct str verb, struct buf *text)
{
	enum store_file_state state =
	    b->accounts ? store_file_compare(&b->store_file, b->directory) : STORE_FILE_SAME;
	int saved_errno = errno;

	if (user_admin_is_change(verb) && broker_is_directory_gone(b, text))
		return NULL;
	if (state == STORE_FILE_UNKNOWN && user_admin_is_change(verb)) {
		buf_addf(text, "accounts.db cannot be examined: %s", strerror(saved_errno));
		return NULL;
	}
	if (state == STORE_FILE_OTHER)
		broker_switch_store(b);
	if (!broker_store(b) && b->is_missing && user_admin_absent_store(verb) == ACCOUNTS_MAKE)
		broker_open_store(b, ACCOUNTS_MAKE);
	if (!b->accounts)
		buf_addf(text, "the account store cannot be used: %s%s; see the log", b->trouble,
		    broker_advice(b));
	return b->accounts;
}

uint8_t
broker_run_users(struct broker *b, const struct message_admin *m, struct user_admin_out *out)
{
	struct accounts *a = broker_current_store(b, m->verb, out->text);
	uint8_t code;

	if (!a)
		return USER_ADMIN_IO;
	code = user_admin_run(a, b->role->conf, m->verb, m->values, out);
	if (code == USER_ADMIN_IO) {
		broker_close_store(b, accounts_error(a));
		return code;
	}
	broker_log_usable_again(b);
	if (!user_admin_is_change(m->verb) || store_file_note(&b->store_file, b->directory))
		return code;
	broker_switch_store(b);
	buf_clear(out->text);
	buf_addf(out->text, "accounts.db was replaced or removed meanwhile: repeat the command");
	return USER_ADMIN_IO;
}

/* ---- lookups ---- */

/* Logged once for each name, and again after LOG_AGAIN_MS, for at most BROKER_DAMAGED_MAX names. */
static void
broker_log_damaged(struct broker *b, struct str user)
{
	int64_t now_ms = clock_mono_ms();
	struct broker_damaged_account *oldest = &b->damaged[0];
	struct log_line l;

	for (int i = 0; i < BROKER_DAMAGED_MAX; i++) {
		struct broker_damaged_account *damaged = &b->damaged[i];

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
broker_clear_failed(struct broker *b, struct str user)
{
	for (unsigned i = 0; i < b->failed_count; i++)
		if (str_eq(str_of(b->failed_names[i]), user)) {
			b->failed_count--;
			memmove(b->failed_names[i], b->failed_names[i + 1],
			    (b->failed_count - i) * sizeof *b->failed_names);
			return;
		}
}

/* When the list is full, the oldest name is dropped. */
static void
broker_note_failed(struct broker *b, struct str user)
{
	broker_clear_failed(b, user);
	if (b->failed_count == BROKER_FAILED_MAX)
		memmove(b->failed_names[0], b->failed_names[1],
		    --b->failed_count * sizeof *b->failed_names);
	snprintf(
	    b->failed_names[b->failed_count++], sizeof *b->failed_names, "%.*s", STR_ARG(user));
	b->probe_after_ms = clock_mono_ms() + clock_timeout_ms(PROBE_MS);
}

/* What SQLite has read of the file may be out of date, or another file is in its place. The lookup
 * may also fail again: opening the file does not read every page, and one of them may be damaged.
 */
static enum accounts_result
broker_find_after_reopen(struct broker *b, struct str user, struct account *out)
{
	enum accounts_result result;

	broker_note_trouble(b, accounts_error(b->accounts));
	broker_note_failed(b, user);
	if (clock_mono_ms() < b->open_after_ms)
		return ACCOUNTS_BROKEN;
	accounts_close(&b->accounts);
	b->changes++;
	broker_open_store(b, b->absent);
	if (!b->accounts)
		return ACCOUNTS_BROKEN;
	result = accounts_find(b->accounts, user, out);
	if (result == ACCOUNTS_BROKEN)
		broker_note_trouble(b, accounts_error(b->accounts));
	return result;
}

enum accounts_result
broker_find(struct broker *b, struct str user, struct account *out)
{
	struct accounts *a = broker_store(b);
	enum accounts_result result = a ? accounts_find(a, user, out) : ACCOUNTS_BROKEN;

	if (a && result == ACCOUNTS_BROKEN)
		result = broker_find_after_reopen(b, user, out);
	if (result == ACCOUNTS_DAMAGED)
		broker_log_damaged(b, user);
	if (result == ACCOUNTS_BROKEN)
		return result;
	broker_clear_failed(b, user);
	if (result != ACCOUNTS_DAMAGED)
		broker_log_usable_again(b);
	return result;
}

static enum accounts_result
broker_look_up(void *broker, struct str user, struct account *out)
{
	return broker_find(broker, user, out);
}

/* Between two lookups the store may have been opened again, and be another one: the "no such
 * account" of the former store does not hold for it. */
enum accounts_result
broker_find_claimed(struct broker *b, struct claimed_identity *identity, struct account *out)
{
	struct str domain = login_name_domain(b->role->conf);
	const struct claimed_identity original = *identity;
	uint64_t changes = b->changes;
	enum accounts_result found = account_names_find(broker_look_up, b, domain, identity, out);

	if (found == ACCOUNTS_BROKEN || changes == b->changes)
		return found;
	*identity = original;
	return account_names_find(broker_look_up, b, domain, identity, out);
}

void
broker_sweep_store(struct broker *b)
{
	char names[BROKER_FAILED_MAX][sizeof *b->failed_names];
	unsigned count = b->failed_count;
	struct account account;

	if (!broker_store(b) || clock_mono_ms() < b->probe_after_ms)
		return;
	memcpy(names, b->failed_names, sizeof names);
	for (unsigned i = 0; i < count; i++)
		(void)broker_find(b, str_of(names[i]), &account);
}

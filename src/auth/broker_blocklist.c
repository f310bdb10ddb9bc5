/*
 * broker_blocklist: see the header.
 */
#include "auth/broker_blocklist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "auth/account_blocks.h"
#include "auth/broker_backend.h"
#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/value.h"
#include "ipc/operator_log.h"

enum { ROW_BYTES = 4096 };

#define BROKER_BLOCKLIST_FOR_MAX_MS (INT64_C(3660) * 24 * 3600 * 1000)

struct broker_blocklist_command {
	struct broker *broker;
	const struct message_admin *request;
	const struct broker_blocklist_login *login;
	struct user_admin_out *out;
	struct blocklist_target target; /* of add and remove */
	bool has_no_account;            /* no account has this name */
	struct buf row;
	unsigned removed_count;
};

typedef uint8_t broker_blocklist_verb_fn(struct broker_blocklist_command *r);

/* ---- the file ---- */

static struct fsio *
broker_blocklist_disk(const struct broker *b)
{
	int fd = b->directory_fd < 0 ? -1 : fcntl(b->directory_fd, F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? NULL : fsio_new(fd);
}

void
broker_blocklist_read(struct broker *b)
{
	const char *error;

	/* opening the directory needs one more descriptor: without it the list is empty, and is
	 * read later */
	if (b->blocks && !blocklist_has_disk(b->blocks))
		blocklist_free(&b->blocks);
	if (b->blocks)
		blocklist_read_again(b->blocks);
	else
		b->blocks = blocklist_new(broker_blocklist_disk(b));
	error = blocklist_error(b->blocks);
	if (strcmp(error, b->logged_blocks_error) == 0)
		return;
	if (error[0])
		log_error("%s, in %.*s: blocks that could not be read do not hold", error,
		    STR_ARG(b->role->conf->state_directory));
	else
		log_warn("blocks: the file in %.*s can be read again",
		    STR_ARG(b->role->conf->state_directory));
	snprintf(b->logged_blocks_error, sizeof b->logged_blocks_error, "%s", error);
	broker_show_trouble(b);
}

static uint8_t
broker_blocklist_report(
    struct broker_blocklist_command *r, enum user_admin_exit code, const char *text)
{
	char buffer[NETWORK_TEXT_BYTES];

	buf_addf(
	    r->out->text, "%.*s: %s", STR_ARG(blocklist_target_text(&r->target, buffer)), text);
	return (uint8_t)code;
}

static uint8_t
broker_blocklist_failed(struct broker_blocklist_command *r)
{
	const char *error = blocklist_error(r->broker->blocks);

	buf_addf(r->out->text, "%s", error[0] ? error : error_text(errno));
	return USER_ADMIN_IO;
}

/* ---- list ---- */

static void
broker_blocklist_add_time(struct broker_blocklist_command *r, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_BYTES];

	message_values_add(&r->row, key, str_of(clock_iso(ms, text)));
}

static void
broker_blocklist_begin_row(struct broker_blocklist_command *r, const char *kind, struct str name)
{
	buf_init(&r->row, ROW_BYTES);
	message_values_add(&r->row, "what", str_of(kind));
	message_values_add(&r->row, "name", name);
}

static void
broker_blocklist_end_row(
    struct broker_blocklist_command *r, const struct blocklist_refused *refused)
{
	char count[24];

	snprintf(count, sizeof count, "%llu", (unsigned long long)refused->count);
	message_values_add(&r->row, "count", str_of(count));
	message_values_add(&r->row, "last_user", str_of(refused->last_user));
	message_values_add(&r->row, "last_ip", str_of(refused->last_ip));
	r->out->row(buf_str(&r->row), r->out->arg);
	buf_clear(&r->row);
}

static void
broker_blocklist_send_entry(const struct blocklist_entry *block, void *arg)
{
	char buffer[NETWORK_TEXT_BYTES];
	struct broker_blocklist_command *r = arg;

	broker_blocklist_begin_row(r, block->target.is_network ? "network" : "user",
	    blocklist_target_text(&block->target, buffer));
	message_values_add(&r->row, "by", str_of(block->by));
	message_values_add(&r->row, "reason", str_of(block->reason));
	broker_blocklist_add_time(r, "since", block->since_ms);
	broker_blocklist_add_time(r, "until", block->until_ms);
	broker_blocklist_end_row(r, &block->refused);
}

static void
broker_blocklist_send_limited(
    struct broker_blocklist_command *r, const struct failure_list_entry *e, int64_t left_ms)
{
	bool is_network = e->kind == FAILURES_OF_NETWORK, is_login = e->kind == FAILURES_OF_LOGIN;
	char network[NETWORK_TEXT_BYTES] = "";

	if (!is_login)
		network_text(&e->network, network);
	broker_blocklist_begin_row(r,
	    is_network ? "network"
	    : is_login ? "user"
	               : "user at network",
	    str_of(is_network ? network : e->user));
	if (!is_network && !is_login)
		message_values_add(&r->row, "network", str_of(network));
	message_values_add(&r->row, "by", STR("automatic"));
	message_values_add(&r->row, "reason", str_of(account_blocks_key(e->kind)));
	broker_blocklist_add_time(r, "since", e->since_ms);
	broker_blocklist_add_time(r, "until", clock_ms() + left_ms);
	broker_blocklist_end_row(r, &e->refused);
}

static uint8_t
broker_blocklist_list(struct broker_blocklist_command *r)
{
	struct failure_list *l = r->broker->failure_list;

	blocklist_each(r->broker->blocks, broker_blocklist_send_entry, r);
	for (size_t i = 0; i < FAILURE_LIST_MAX; i++) {
		int64_t left_ms =
		    l->entry[i].since_ms ? account_blocks_left_ms(r->broker, &l->entry[i]) : 0;

		if (left_ms > 0)
			broker_blocklist_send_limited(r, &l->entry[i], left_ms);
	}
	return blocklist_error(r->broker->blocks)[0] ? broker_blocklist_failed(r) : USER_ADMIN_OK;
}

/* ---- add and remove ---- */

/* One line of text, without characters that would end a line or a field of the file. */
static bool
broker_blocklist_is_reason(struct str reason)
{
	return reason.n <= BLOCKLIST_REASON_MAX && str_is_utf8(reason) &&
	    str_find_control(reason, 0) == reason.n;
}

static void
broker_blocklist_log(const struct broker_blocklist_command *r, int64_t until_ms)
{
	const struct message_admin *m = r->request;
	struct str reason = message_values_get(m->values, "reason");
	char buffer[NETWORK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];
	struct log_line l;

	operator_log_begin(&l, m);
	if (until_ms)
		log_str(&l, "until", str_of(clock_iso(until_ms, until)));
	if (r->target.is_network)
		log_str(&l, "target", str_of(network_text(&r->target.network, buffer)));
	else
		log_user(&l, "target", str_of(r->target.user));
	if (reason.n)
		log_quoted(&l, "reason", reason);
	log_end(&l);
}

/* The change holds now, but a crash of the system may undo it. */
static uint8_t
broker_blocklist_add_unsure(
    struct broker_blocklist_command *r, enum blocklist_result result, int saved_errno)
{
	if (result != BLOCKLIST_UNSURE)
		return USER_ADMIN_OK;
	buf_addf(r->out->text,
	    "; the disk did not confirm the change: %s: a crash of the system may "
	    "undo it",
	    error_text(saved_errno));
	return USER_ADMIN_IO;
}

static uint8_t
broker_blocklist_run_add(struct broker_blocklist_command *r)
{
	struct str reason = message_values_get(r->request->values, "reason");
	struct blocklist_entry block = {.target = r->target, .since_ms = clock_ms()};
	char until[CLOCK_TEXT_BYTES];
	enum blocklist_result result;
	int64_t for_ms;
	int saved_errno;

	if (!value_duration(message_values_get(r->request->values, "for"), &for_ms) ||
	    for_ms < 1000 || for_ms > BROKER_BLOCKLIST_FOR_MAX_MS)
		return broker_blocklist_report(r, USER_ADMIN_USAGE,
		    "--for is needed: a duration from 1s to ten years, for example --for 2h");
	if (!broker_blocklist_is_reason(reason))
		return broker_blocklist_report(
		    r, USER_ADMIN_DATA, "the reason is not a line of at most 255 bytes");
	block.until_ms = block.since_ms + for_ms;
	snprintf(block.by, sizeof block.by, "%.*s", STR_ARG(r->request->by));
	snprintf(block.reason, sizeof block.reason, "%.*s", STR_ARG(reason));
	result = blocklist_add(r->broker->blocks, &block);
	saved_errno = errno;
	if (result == BLOCKLIST_FULL)
		return broker_blocklist_report(
		    r, USER_ADMIN_TRY_LATER, "there are too many blocks: remove one");
	if (result == BLOCKLIST_BROKEN)
		return broker_blocklist_failed(r);
	broker_blocklist_log(r, block.until_ms);
	broker_blocklist_report(r, USER_ADMIN_OK, "blocked until ");
	buf_addz(r->out->text, clock_iso(block.until_ms, until));
	if (r->has_no_account)
		buf_addz(r->out->text, "; no account has this name");
	return broker_blocklist_add_unsure(r, result, saved_errno);
}

/* A network matches the networks that contain it and those that it contains. */
static bool
broker_blocklist_matches(const struct blocklist_target *t, const struct failure_list_entry *e)
{
	if (!t->is_network)
		return e->kind != FAILURES_OF_NETWORK && strcmp(e->user, t->user) == 0;
	return e->kind != FAILURES_OF_LOGIN &&
	    (network_has(&t->network, &e->network) || network_has(&e->network, &t->network));
}

/* Limits of the target itself are also cleared when the list has no entry for them. */
static void
broker_blocklist_clear_named(struct broker_blocklist_command *r)
{
	const struct network *n = &r->target.network;
	struct failures *f = r->broker->failures;

	if (!r->target.is_network) {
		r->removed_count += failures_clear(f, FAILURES_OF_LOGIN, str_of(r->target.user));
		(void)failures_clear(f, FAILURES_OF_USER, str_of(r->target.user));
	} else if (n->bits == 32 && n->size == 4) {
		r->removed_count += failures_clear(
		    f, FAILURES_OF_NETWORK, str_make((const char *)n->bytes, 4));
	} else if (n->bits >= 64 && n->size == NETWORK_BYTES_MAX) {
		r->removed_count += failures_clear(f, FAILURES_OF_NETWORK,
		    str_make((const char *)n->bytes, CLAIMED_NETWORK_BYTES));
	}
}

/* Clears the automatic blocks, and the failures that made them. */
static void
broker_blocklist_clear_limited(struct broker_blocklist_command *r)
{
	struct failure_list *l = r->broker->failure_list;

	for (size_t i = 0; i < FAILURE_LIST_MAX; i++) {
		struct failure_list_entry *e = &l->entry[i];

		if (!e->since_ms || !broker_blocklist_matches(&r->target, e))
			continue;
		r->removed_count += failures_clear(
		    r->broker->failures, e->kind, str_make(e->key, e->key_n));
		*e = (struct failure_list_entry){0};
	}
	broker_blocklist_clear_named(r);
}

/* The target is still blocked by a network around it, which an operator has blocked. */
static uint8_t
broker_blocklist_report_still(
    struct broker_blocklist_command *r, const struct blocklist_entry *remaining)
{
	char buffer[NETWORK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];

	broker_blocklist_report(r, USER_ADMIN_OK,
	    r->removed_count ? "no longer blocked itself, but still blocked by "
	                     : "still blocked by ");
	buf_addf(r->out->text, "%.*s until %s",
	    STR_ARG(blocklist_target_text(&remaining->target, buffer)),
	    clock_iso(remaining->until_ms, until));
	return USER_ADMIN_TRY_LATER;
}

static uint8_t
broker_blocklist_run_remove(struct broker_blocklist_command *r)
{
	const struct blocklist_target *t = &r->target;
	enum blocklist_result result = blocklist_remove(r->broker->blocks, t);
	int saved_errno = errno;
	const struct blocklist_entry *remaining;
	uint8_t code, unsure;

	if (result == BLOCKLIST_BROKEN)
		return broker_blocklist_failed(r);
	r->removed_count += result != BLOCKLIST_NONE;
	broker_blocklist_clear_limited(r);
	remaining =
	    blocklist_find(r->broker->blocks, str_of(t->user), t->is_network ? &t->network : NULL);
	if (r->removed_count)
		broker_blocklist_log(r, 0);
	if (remaining)
		code = broker_blocklist_report_still(r, remaining);
	else if (r->removed_count)
		code = broker_blocklist_report(r, USER_ADMIN_OK, "no longer blocked");
	else
		code = broker_blocklist_report(r, USER_ADMIN_NO_USER, "is not blocked");
	unsure = broker_blocklist_add_unsure(r, result, saved_errno);
	return code ? code : unsure;
}

/* ---- the target of a command ---- */

static const char broker_blocklist_expected_text[] =
    "expected an address like 192.0.2.7, a network like 192.0.2.0/24 without bits behind its "
    "prefix, or a login name";

/* Text of only digits and ".:/" is a mistyped address or network, not a name. */
static bool
broker_blocklist_is_number(struct str text)
{
	static const char marks[] = "0123456789.:/";

	for (size_t i = 0; i < text.n; i++)
		if (!memchr(marks, text.p[i], sizeof marks - 1))
			return false;
	return true;
}

/* Logins are compared with the name of the account. */
static uint8_t
broker_blocklist_resolve_user(struct broker_blocklist_command *r)
{
	const struct broker_blocklist_login *login = r->login;
	struct claimed_identity given;

	if (!claimed_set_user(str_of(r->target.user), &given))
		return USER_ADMIN_DATA;
	if (login->found == AUTH_BACKEND_BROKEN && !str_has(claimed_name(&login->identity), '@'))
		return broker_blocklist_report(r, USER_ADMIN_IO,
		    "the account store cannot be used, and only it has the account "
		    "that a name without a domain means: give the whole name");
	r->has_no_account = login->found == AUTH_BACKEND_NONE;
	memcpy(r->target.user, login->identity.user, sizeof r->target.user);
	return USER_ADMIN_OK;
}

/* A block of exactly this name, perhaps that of a removed account, is removed without a look-up. */
static bool
broker_blocklist_is_block(const struct broker *b, const struct blocklist_target *t, bool is_new)
{
	return !is_new && blocklist_find(b->blocks, str_of(t->user), NULL);
}

static uint8_t
broker_blocklist_parse_target(struct broker_blocklist_command *r, bool is_new)
{
	struct str text = message_values_get(r->request->values, "name");
	bool is_target = blocklist_target_parse(text, &r->target);

	if (is_target && r->target.is_network)
		return USER_ADMIN_OK;
	if (is_target && broker_blocklist_is_block(r->broker, &r->target, is_new))
		return USER_ADMIN_OK;
	if (is_target && !broker_blocklist_is_number(text))
		return broker_blocklist_resolve_user(r);
	buf_addz(r->out->text, broker_blocklist_expected_text);
	return USER_ADMIN_DATA;
}

/* ---- the commands ---- */

static const struct broker_blocklist_verb {
	const char *name;
	broker_blocklist_verb_fn *fn;
	bool is_named, is_new;
} broker_blocklist_verbs[] = {
    {"block.list", broker_blocklist_list, false, false},
    {"block.add", broker_blocklist_run_add, true, true},
    {"block.remove", broker_blocklist_run_remove, true, false},
};

static const struct broker_blocklist_verb *
broker_blocklist_find_verb(struct str verb)
{
	for (size_t i = 0; i < sizeof broker_blocklist_verbs / sizeof *broker_blocklist_verbs; i++)
		if (str_eq(str_of(broker_blocklist_verbs[i].name), verb))
			return &broker_blocklist_verbs[i];
	return NULL;
}

bool
broker_blocklist_is_verb(struct str verb)
{
	return broker_blocklist_find_verb(verb) != NULL;
}

bool
broker_blocklist_names_login(
    const struct broker *b, const struct message_admin *m, struct claimed_identity *login_out)
{
	const struct broker_blocklist_verb *v = broker_blocklist_find_verb(m->verb);
	struct str text = message_values_get(m->values, "name");
	struct blocklist_target target;

	if (!v->is_named || !blocklist_target_parse(text, &target) || target.is_network)
		return false;
	return !broker_blocklist_is_number(text) &&
	    !broker_blocklist_is_block(b, &target, v->is_new) &&
	    claimed_set_user(str_of(target.user), login_out);
}

uint8_t
broker_blocklist_run(struct broker *b, const struct message_admin *m,
    const struct broker_blocklist_login *login, struct user_admin_out *out)
{
	struct broker_blocklist_command r = {
	    .broker = b, .request = m, .login = login, .out = out};
	const struct broker_blocklist_verb *v = broker_blocklist_find_verb(m->verb);
	uint8_t code = USER_ADMIN_OK;

	broker_blocklist_read(b);
	if (v->is_named && broker_is_directory_gone(b, out->text))
		return USER_ADMIN_IO;
	if (v->is_named)
		code = broker_blocklist_parse_target(&r, v->is_new);
	return code == USER_ADMIN_OK ? v->fn(&r) : code;
}

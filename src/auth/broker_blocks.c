/*
 * broker_blocks: see the header.
 */
#include "auth/broker_blocks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/login_name.h"
#include "conf/value.h"
#include "ipc/admin_log.h"

enum { ROW_BYTES = 4096 };

#define BLOCKS_FOR_MAX_MS (INT64_C(3660) * 24 * 3600 * 1000)

struct blocks_run {
	struct broker *broker;
	const struct message_admin *asked;
	struct users_out *out;
	struct block_target target; /* of add and remove */
	struct buf row;
	unsigned removed;
};

typedef uint8_t blocks_verb_fn(struct blocks_run *r);

static uint8_t
blocks_say(struct blocks_run *r, enum users_exit code, const char *what)
{
	char room[NETWORK_TEXT_BYTES];

	buf_addf(r->out->text, "%.*s: %s", STR_ARG(block_target_text(&r->target, room)), what);
	return (uint8_t)code;
}

static uint8_t
blocks_failed(struct blocks_run *r)
{
	const char *error = blocks_error(r->broker->blocks);

	buf_addf(r->out->text, "%s", error[0] ? error : strerror(errno));
	return USERS_IO;
}

/* ---- list ---- */

static void
blocks_add_time(struct blocks_run *r, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_BYTES];

	message_values_add(&r->row, key, str_of(clock_iso(ms, text)));
}

static void
blocks_begin_row(struct blocks_run *r, const char *what, struct str name)
{
	buf_init(&r->row, ROW_BYTES);
	message_values_add(&r->row, "what", str_of(what));
	message_values_add(&r->row, "name", name);
}

static void
blocks_end_row(struct blocks_run *r, const struct block_refused *refused)
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
blocks_tell(const struct block *block, void *arg)
{
	char room[NETWORK_TEXT_BYTES];
	struct blocks_run *r = arg;

	blocks_begin_row(r, block->target.is_network ? "network" : "user",
	    block_target_text(&block->target, room));
	message_values_add(&r->row, "by", str_of(block->by));
	message_values_add(&r->row, "reason", str_of(block->reason));
	blocks_add_time(r, "since", block->since_ms);
	blocks_add_time(r, "until", block->until_ms);
	blocks_end_row(r, &block->refused);
}

static int64_t
blocks_left_ms(const struct broker *b, const struct limited_entry *e)
{
	const struct conf *conf = b->role->conf;
	const struct conf_rate *rate = e->what == FAILURES_OF_LOGIN
	    ? &conf->auth.login_failure_limit
	    : &conf->auth.failure_limit;
	struct failures_limit limit = {rate->count, rate->period_ms};

	return failures_left_ms(b->failures, e->what, str_make(e->key, e->key_n), limit);
}

static void
blocks_tell_limited(struct blocks_run *r, const struct limited_entry *e, int64_t left_ms)
{
	bool is_network = e->what == FAILURES_OF_NETWORK, is_login = e->what == FAILURES_OF_LOGIN;
	char network[NETWORK_TEXT_BYTES] = "";

	if (!is_login)
		network_text(&e->network, network);
	blocks_begin_row(r, is_network ? "network" : is_login ? "user" : "user at network",
	    str_of(is_network ? network : e->user));
	if (!is_network && !is_login)
		message_values_add(&r->row, "network", str_of(network));
	message_values_add(&r->row, "by", STR("automatic"));
	message_values_add(&r->row, "reason",
	    is_login ? STR("auth.login_failure_limit") : STR("auth.failure_limit"));
	blocks_add_time(r, "since", e->since_ms);
	blocks_add_time(r, "until", clock_ms() + left_ms);
	blocks_end_row(r, &e->refused);
}

static uint8_t
blocks_list(struct blocks_run *r)
{
	struct limited *l = r->broker->limited;

	if (blocks_error(r->broker->blocks)[0])
		return blocks_failed(r);
	blocks_each(r->broker->blocks, blocks_tell, r);
	for (size_t i = 0; i < LIMITED_MAX; i++) {
		int64_t left_ms =
		    l->entry[i].since_ms ? blocks_left_ms(r->broker, &l->entry[i]) : 0;

		if (left_ms > 0)
			blocks_tell_limited(r, &l->entry[i], left_ms);
	}
	return USERS_OK;
}

/* ---- add and remove ---- */

/* One line of text, without what would end a line or a field of the file. */
static bool
blocks_is_reason(struct str reason)
{
	return reason.n <= BLOCKS_REASON_MAX && str_is_utf8(reason) &&
	    str_find_control(reason, 0) == reason.n;
}

static void
blocks_log(const struct blocks_run *r, int64_t until_ms)
{
	const struct message_admin *m = r->asked;
	struct str reason = message_values_get(m->values, "reason");
	char room[NETWORK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];
	struct log_line l;

	admin_log_begin(&l, m);
	if (until_ms)
		log_str(&l, "until", str_of(clock_iso(until_ms, until)));
	if (r->target.is_network)
		log_str(&l, "target", str_of(network_text(&r->target.network, room)));
	else
		log_user(&l, "target", str_of(r->target.user));
	if (reason.n)
		log_quoted(&l, "reason", reason);
	log_end(&l);
}

static uint8_t
blocks_run_add(struct blocks_run *r)
{
	struct str reason = message_values_get(r->asked->values, "reason");
	struct block block = {.target = r->target, .since_ms = clock_ms()};
	char until[CLOCK_TEXT_BYTES];
	enum blocks_result result;
	int64_t for_ms;

	if (!value_duration(message_values_get(r->asked->values, "for"), &for_ms) ||
	    for_ms < 1000 || for_ms > BLOCKS_FOR_MAX_MS)
		return blocks_say(r, USERS_USAGE,
		    "--for is needed: a duration from 1s to ten years, for example --for 2h");
	if (!blocks_is_reason(reason))
		return blocks_say(r, USERS_DATA, "the reason is not a line of at most 255 bytes");
	block.until_ms = block.since_ms + for_ms;
	snprintf(block.by, sizeof block.by, "%.*s", STR_ARG(r->asked->by));
	snprintf(block.reason, sizeof block.reason, "%.*s", STR_ARG(reason));
	result = blocks_add(r->broker->blocks, &block);
	if (result == BLOCKS_FULL)
		return blocks_say(r, USERS_TRY_LATER, "there are too many blocks: remove one");
	if (result != BLOCKS_OK)
		return blocks_failed(r);
	blocks_log(r, block.until_ms);
	blocks_say(r, USERS_OK, "blocked until ");
	buf_addz(r->out->text, clock_iso(block.until_ms, until));
	return USERS_OK;
}

/* An address is meant by what it lies in, a network also by what lies in it. */
static bool
blocks_means(const struct block_target *t, const struct limited_entry *e)
{
	if (!t->is_network)
		return e->what != FAILURES_OF_NETWORK && strcmp(e->user, t->user) == 0;
	return e->what != FAILURES_OF_LOGIN &&
	    (network_has(&t->network, &e->network) || network_has(&e->network, &t->network));
}

/* Those that are too many to be listed are found by their own name. */
static void
blocks_clear_named(struct blocks_run *r)
{
	const struct network *n = &r->target.network;
	struct failures *f = r->broker->failures;

	if (!r->target.is_network) {
		r->removed += failures_clear(f, FAILURES_OF_LOGIN, str_of(r->target.user));
		(void)failures_clear(f, FAILURES_OF_USER, str_of(r->target.user));
	} else if (n->bits == 32 && n->size == 4) {
		r->removed += failures_clear(
		    f, FAILURES_OF_NETWORK, str_make((const char *)n->bytes, 4));
	} else if (n->bits >= 64 && n->size == NETWORK_BYTES_MAX) {
		r->removed += failures_clear(f, FAILURES_OF_NETWORK,
		    str_make((const char *)n->bytes, CLAIM_NETWORK_BYTES));
	}
}

static uint8_t
blocks_run_remove(struct blocks_run *r)
{
	enum blocks_result result = blocks_remove(r->broker->blocks, &r->target);
	struct limited *l = r->broker->limited;

	if (result == BLOCKS_BROKEN)
		return blocks_failed(r);
	r->removed += result == BLOCKS_OK;
	for (size_t i = 0; i < LIMITED_MAX; i++) {
		struct limited_entry *e = &l->entry[i];

		if (!e->since_ms || !blocks_means(&r->target, e))
			continue;
		r->removed += failures_clear(
		    r->broker->failures, e->what, str_make(e->key, e->key_n));
		*e = (struct limited_entry){0};
	}
	blocks_clear_named(r);
	if (r->removed == 0)
		return blocks_say(r, USERS_NO_USER, "is not blocked");
	blocks_log(r, 0);
	return blocks_say(r, USERS_OK, "no longer blocked");
}

/* ---- the verbs ---- */

static const struct blocks_verb {
	const char *name;
	blocks_verb_fn *fn;
	bool is_named;
} blocks_verbs[] = {
    {"block.list", blocks_list, false},
    {"block.add", blocks_run_add, true},
    {"block.remove", blocks_run_remove, true},
};

static const struct blocks_verb *
blocks_verb_find(struct str verb)
{
	for (size_t i = 0; i < sizeof blocks_verbs / sizeof *blocks_verbs; i++)
		if (str_eq(str_of(blocks_verbs[i].name), verb))
			return &blocks_verbs[i];
	return NULL;
}

bool
broker_blocks_is_verb(struct str verb)
{
	return blocks_verb_find(verb) != NULL;
}

uint8_t
broker_blocks_run(struct broker *b, const struct message_admin *m, struct users_out *out)
{
	struct blocks_run r = {.broker = b, .asked = m, .out = out};
	const struct blocks_verb *v = blocks_verb_find(m->verb);

	if (!v->is_named || block_target_parse(message_values_get(m->values, "name"),
				login_name_domain(b->role->conf), &r.target))
		return v->fn(&r);
	buf_addz(out->text, "neither a network like 192.0.2.0/24, without bits behind its prefix, "
			    "nor a login name");
	return USERS_DATA;
}

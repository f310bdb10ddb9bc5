/*
 * broker_commands: a command that waits for the worker is in a list of the broker. It lives until
 * its answer, even if the operator has gone: after a change nothing that was remembered of the
 * account is used any more, and open sessions may have to end.
 */
#include "auth/broker_commands.h"

#include <stdio.h>

#include "auth/account_alert.h"
#include "auth/account_blocks.h"
#include "auth/auth_exchange.h"
#include "auth/broker_backend.h"
#include "auth/broker_blocklist.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/login_name.h"
#include "ipc/operator_log.h"

enum { TEXT_BYTES = 1024, ROW_BYTES = 8192, BROKER_COMMANDS_MAX = 64 };

struct broker_command {
	LIST_ENTRY(broker_command) link;
	struct broker *broker;
	struct channel *from; /* NULL: nobody waits for the answer */
	uint64_t call;
	struct arena texts;
	struct message_admin admin;
	struct message_users_look_up users;
	struct worker_pool_job job;
	struct broker_lookup lookup;
	struct claimed_identity target; /* of a command for blocks: the login that it names */
};

/* ---- a command's life ---- */

/* NULL: too many wait. */
static struct broker_command *
command_new(struct broker *b, struct channel *from, uint64_t call)
{
	struct broker_command *c;

	if (b->command_count == BROKER_COMMANDS_MAX)
		return NULL;
	c = MEM_NEW(struct broker_command);
	*c = (struct broker_command){.broker = b, .from = from, .call = call};
	arena_init(&c->texts, (size_t)2 * MESSAGE_BYTES_MAX);
	LIST_INSERT_HEAD(&b->commands, c, link);
	b->command_count++;
	return c;
}

static void
command_free(struct broker_command *c)
{
	LIST_REMOVE(c, link);
	c->broker->command_count--;
	worker_pool_cancel(&c->job);
	broker_lookup_cancel(&c->lookup);
	if (c->admin.values.n) /* perhaps with the secret of an account */
		mem_wipe((char *)c->admin.values.p, c->admin.values.n);
	arena_clear(&c->texts);
	mem_free(c);
}

static void
keep_command_texts(struct broker_command *c, const struct message_admin *m)
{
	c->admin = (struct message_admin){.verb = arena_str(&c->texts, m->verb),
	    .values = arena_str(&c->texts, m->values),
	    .by = arena_str(&c->texts, m->by),
	    .claimed_name = arena_str(&c->texts, m->claimed_name)};
}

void
broker_commands_drop(struct broker *b, const struct channel *from)
{
	struct broker_command *next;

	for (struct broker_command *c = LIST_FIRST(&b->commands); c; c = next) {
		next = LIST_NEXT(c, link);
		if (!from)
			command_free(c);
		else if (c->from == from)
			c->from = NULL;
	}
}

/* ---- answers ---- */

struct broker_command_reader {
	struct broker *broker;
	struct channel *from;
	uint64_t call;
};

static void
send_command_row(struct str values, void *arg)
{
	const struct broker_command_reader *r = arg;
	struct message_admin_row m = {values};

	if (r->from)
		(void)!channel_answer(r->from, r->call, MESSAGE_ADMIN_ROW, &m, -1);
}

static void
send_command_done(const struct broker_command_reader *r, uint8_t code, struct str text)
{
	struct message_admin_done m = {.exit_code = code, .text = text};

	if (r->from)
		(void)!channel_answer(r->from, r->call, MESSAGE_ADMIN_DONE, &m, -1);
}

static struct broker_command_reader
reader_of(const struct broker_command *c)
{
	return (struct broker_command_reader){c->broker, c->from, c->call};
}

/* ---- rows of accounts ---- */

static void
add_login_values(const struct broker *b, struct str user, struct buf *values)
{
	const struct last_login *last = last_logins_get(b->last_logins, user);
	const struct conf_rate *rate = &b->role->conf->auth.login_failure_limit;
	struct failures_limit limit = {.count = rate->count, .period_ms = rate->period_ms};
	char time[CLOCK_TEXT_BYTES];

	if (last) {
		message_values_add(values, "last_login", str_of(clock_iso(last->at_ms, time)));
		message_values_add(values, "last_login_from", str_of(last->client));
		message_values_add(values, "last_login_mechanism", str_of(last->mechanism));
	}
	message_values_add(values, "logins_since",
	    str_of(clock_iso(last_logins_since_ms(b->last_logins), time)));
	message_values_add_number(values, "failed_logins",
	    failures_count(b->failures, FAILURES_OF_LOGIN, user, limit));
}

/* The row of user.show also has what is known only in memory about the account's logins. */
static void
on_account_row(struct worker_pool_job *job, struct str values)
{
	struct broker_command *c = job->arg;
	struct str name = message_values_get(values, "name");
	struct broker_command_reader r = reader_of(c);
	struct buf all;

	if (!str_eq(c->admin.verb, STR("user.show"))) {
		send_command_row(values, &r);
		return;
	}
	buf_init(&all, ROW_BYTES);
	buf_adds(&all, values);
	account_blocks_add(c->broker, name, &all);
	add_login_values(c->broker, name, &all);
	send_command_row(buf_str(&all), &r);
	buf_clear(&all);
}

/* ---- changes of accounts ---- */

static void
log_account_change(
    struct broker *b, const struct message_admin *m, const struct message_account_done *done)
{
	struct str reason = message_values_get(m->values, "reason"), name = done->target;
	struct log_line l;

	operator_log_begin(&l, m);
	log_user(&l, "target", name);
	if (reason.n)
		log_quoted(&l, "reason", reason);
	log_end(&l);
	if (str_eq(m->verb, STR("user.suspend")) && !done->was_suspended)
		account_alert_suspended(b, m, name);
	if (str_eq(m->verb, STR("user.resume")))
		account_alert_resumed(b, m, name);
}

static void
end_sessions_of_user(struct broker *b, struct str user)
{
	struct message_auth_user_gone m = {user};

	for (int i = 0; i < BROKER_SUBMISSIONS_MAX; i++)
		if (b->submissions[i] &&
		    channel_send(b->submissions[i], MESSAGE_AUTH_USER_GONE, &m, -1) != 0)
			log_warn("auth: submission %d could not be notified that an account was "
				 "suspended or removed: the open sessions of the account end "
				 "when submission asks again",
			    i);
}

static void
forget_account(struct broker *b, struct str name)
{
	b->changes++;
	password_cache_forget_user(b->cache, name);
	usual_networks_forget(b->usual_networks, name);
}

/* When the operator gets the answer "done", nothing that was remembered of the account is used any
 * more. */
static void
finish_account_change(
    struct broker *b, const struct message_admin *m, const struct message_account_done *done)
{
	struct str name = done->target;

	forget_account(b, name);
	if (str_eq(m->verb, STR("user.remove")))
		last_logins_forget(b->last_logins, name);
	if (user_admin_ends_sessions(m->verb))
		end_sessions_of_user(b, name);
	log_account_change(b, m, done);
}

/* The worker had the change when it ended. The change may be stored: what was remembered of the
 * account is not used any more, whichever account the name means. */
static void
forget_unsure_account(struct broker *b, struct str given)
{
	struct claimed_identity identity;

	if (!claimed_set_user(given, &identity))
		return;
	forget_account(b, claimed_name(&identity));
	if (claimed_complete(&identity, login_name_domain(b->role->conf)))
		forget_account(b, claimed_name(&identity));
}

/* No worker has answered; `text` says what is known of the change, and what to do. */
static uint8_t
report_no_answer(struct broker_command *c, struct buf *text)
{
	bool is_change = user_admin_is_change(c->admin.verb);
	struct str name = message_values_get(c->admin.values, "name");

	if (is_change && c->job.was_sent) {
		forget_unsure_account(c->broker, name);
		log_error("auth: the worker ended in the midst of %.*s for %.*s: it is unknown "
			  "whether the change is stored",
		    STR_ARG(c->admin.verb), STR_ARG(name));
		buf_addf(text, "%.*s: the account store did not answer, and its worker was ended: "
			       "it is unknown whether the change is stored; wait until sallyport "
			       "status shows no trouble of auth, look with sallyport user show, "
			       "and repeat the command if the change is missing",
		    STR_ARG(name));
		return USER_ADMIN_IO;
	}
	buf_addf(text, "the account store does not answer%s; try again, and see sallyport status",
	    is_change ? ": nothing was changed" : "");
	return USER_ADMIN_TRY_LATER;
}

static void
on_account_command_done(
    struct worker_pool_job *job, const union message *answer, const char *reason)
{
	struct broker_command *c = job->arg;
	struct broker_command_reader r = reader_of(c);
	const struct message_account_done *m = answer ? &answer->account_done : NULL;
	struct buf text;
	uint8_t code;

	(void)reason;
	buf_init(&text, TEXT_BYTES);
	if (m && m->exit_code == USER_ADMIN_OK && user_admin_is_change(c->admin.verb))
		finish_account_change(c->broker, &c->admin, m);
	if (m)
		buf_adds(&text, m->text);
	code = m ? m->exit_code : report_no_answer(c, &text);
	send_command_done(&r, code, buf_str(&text));
	buf_clear(&text);
	command_free(c);
}

/* All commands are jobs of one network, so the pool keeps their order. */
static void
run_account_command(struct broker_command *c)
{
	c->job = (struct worker_pool_job){.type = MESSAGE_ACCOUNT_COMMAND,
	    .message = &c->admin,
	    .done = on_account_command_done,
	    .row = on_account_row,
	    .arg = c};
	if (broker_backend_begin(c->broker, &c->job))
		on_account_command_done(&c->job, NULL, NULL);
}

/* ---- commands for blocks ---- */

static void
finish_block_command(struct broker_command *c, const struct auth_backend_account *found)
{
	struct broker_command_reader r = reader_of(c);
	struct buf text;
	struct user_admin_out out = {.row = send_command_row, .arg = &r, .text = &text};
	struct broker_blocklist_login login = {.identity = c->target, .found = found->result};
	uint8_t code;

	if (!broker_lookup_resolve(c->broker, found, &login.identity))
		login.found = AUTH_BACKEND_BROKEN;
	buf_init(&text, TEXT_BYTES);
	code = broker_blocklist_run(c->broker, &c->admin, &login, &out);
	send_command_done(&r, code, buf_str(&text));
	buf_clear(&text);
	command_free(c);
}

static void
on_blocked_login_found(
    struct broker_lookup *l, const struct auth_backend_account *found, void *arg)
{
	(void)l;
	finish_block_command(arg, found);
}

/* While the store does not answer, blocks of networks and of whole names are set all the same. */
static void
run_block_command(struct broker_command *c)
{
	struct auth_backend_account unknown = {.result = AUTH_BACKEND_BROKEN};
	struct str name;

	if (broker_blocklist_names_login(c->broker, &c->admin, &c->target)) {
		name = claimed_name(&c->target);
		c->lookup.done = on_blocked_login_found;
		c->lookup.arg = c;
		if (broker_look_up(c->broker, &c->lookup, name, STR("")))
			return;
	}
	snprintf(unknown.name, sizeof unknown.name, "%s", c->target.user);
	finish_block_command(c, &unknown);
}

/* ---- all commands ---- */

void
broker_commands_run(
    struct broker *b, struct channel *from, uint64_t call, const struct message_admin *m)
{
	struct broker_command_reader reader = {b, from, call};
	struct broker_command *c;

	if (str_eq(m->verb, STR("test.auth"))) {
		auth_exchange_test(b, from, call, m);
		return;
	}
	if (!user_admin_is_verb(m->verb) && !broker_blocklist_is_verb(m->verb)) {
		send_command_done(&reader, USER_ADMIN_USAGE, STR("auth has no such command"));
		return;
	}
	c = command_new(b, from, call);
	if (!c) {
		send_command_done(&reader, USER_ADMIN_TRY_LATER,
		    STR("too many commands wait for the account store: nothing was changed"));
		return;
	}
	keep_command_texts(c, m);
	if (user_admin_is_verb(c->admin.verb))
		run_account_command(c);
	else
		run_block_command(c);
}

/* ---- the question of submission ---- */

static void
on_users_found(struct worker_pool_job *job, const union message *answer, const char *reason)
{
	struct broker_command *c = job->arg;
	const struct message_users_found *found = answer ? &answer->users_found : NULL;
	struct message_auth_users m;

	(void)reason;
	if (c->from && found && found->is_usable) {
		m = (struct message_auth_users){.gone = found->gone, .unknown = found->unknown};
		(void)!channel_answer(c->from, c->call, MESSAGE_AUTH_USERS, &m, -1);
	} else if (c->from) {
		channel_refuse(c->from, c->call);
	}
	command_free(c);
}

void
broker_commands_ask_users(struct broker *b, struct channel *from, uint64_t call, struct str users)
{
	struct broker_command *c = command_new(b, from, call);

	if (!c) {
		channel_refuse(from, call);
		return;
	}
	c->users.users = arena_str(&c->texts, users);
	c->job = (struct worker_pool_job){.type = MESSAGE_USERS_LOOK_UP,
	    .message = &c->users,
	    .done = on_users_found,
	    .arg = c};
	if (broker_backend_begin(b, &c->job))
		on_users_found(&c->job, NULL, NULL);
}

/*
 * broker: the role that decides logins. It is the only writer of the account store; it has the
 * cache of right passwords and the counts of failures; workers do for it what blocks.
 */
#include <stdio.h>
#include <unistd.h>

#include "auth/account_blocks.h"
#include "auth/auth.h"
#include "auth/auth_exchange.h"
#include "auth/auth_session.h"
#include "auth/broker_blocklist.h"
#include "auth/broker_store.h"
#include "auth/user_admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "ipc/operator_log.h"

enum { SWEEP_MS = 30 * 1000, TEXT_BYTES = 1024, ROW_BYTES = 8192 };

/* ---- commands of operators ---- */

struct broker_admin_call {
	struct broker *broker;
	struct channel *from;
	uint64_t call;
};

static void
broker_send_row(struct str values, void *arg)
{
	const struct broker_admin_call *r = arg;
	struct message_admin_row m = {values};

	(void)!channel_answer(r->from, r->call, MESSAGE_ADMIN_ROW, &m, -1);
}

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

/* Sends the row of one account, with what is known only in memory about its logins. */
static void
broker_send_account_row(struct str values, void *arg)
{
	const struct broker_admin_call *r = arg;
	struct buf all;

	buf_init(&all, ROW_BYTES);
	buf_adds(&all, values);
	account_blocks_add(r->broker, message_values_get(values, "name"), &all);
	add_login_values(r->broker, message_values_get(values, "name"), &all);
	broker_send_row(buf_str(&all), arg);
	buf_clear(&all);
}

static void
broker_send_done(const struct broker_admin_call *r, uint8_t code, struct str text)
{
	struct message_admin_done m = {.exit_code = code, .text = text};

	(void)!channel_answer(r->from, r->call, MESSAGE_ADMIN_DONE, &m, -1);
}

static void
log_account_change(
    struct broker *b, const struct message_admin *m, const struct claimed_identity *target)
{
	struct str reason = message_values_get(m->values, "reason"), name = claimed_name(target);
	struct log_line l;

	operator_log_begin(&l, m);
	log_user(&l, "target", name);
	if (reason.n)
		log_quoted(&l, "reason", reason);
	log_end(&l);
	if (str_eq(m->verb, STR("user.suspend")))
		role_alert(b->role, NOTICE_ACCESS, name,
		    "login %.*s was suspended by %.*s%s%.*s: %.*s", STR_ARG(name),
		    STR_ARG(m->by), m->claimed_name.n ? " for " : "", STR_ARG(m->claimed_name),
		    STR_ARG(reason));
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

/* Collects the names that are no accounts or are suspended, and the names that cannot be looked up
 * now. */
static bool
broker_collect_gone_users(struct broker *b, struct str users, struct buf *gone, struct buf *unknown)
{
	enum accounts_result result;
	struct account account = {0};
	struct buf *list;
	struct str name;

	for (; users.n; users = str_from(users, name.n + 1)) {
		name = str_upto(users, str_find(users, 0));
		result = broker_find(b, name, &account);
		if (result == ACCOUNTS_OK && !account.is_suspended)
			continue;
		list = result == ACCOUNTS_OK || result == ACCOUNTS_NONE ? gone : unknown;
		buf_adds(list, name);
		buf_addc(list, 0);
	}
	mem_wipe(&account, sizeof account);
	return buf_ok(gone) && buf_ok(unknown);
}

/* Submission has a new channel: messages on the former one may be lost. */
static void
broker_answer_gone_users(struct broker *b, struct channel *c, uint64_t call, struct str users)
{
	struct message_auth_users m;
	struct buf gone, unknown;

	buf_init(&gone, MESSAGE_BYTES_MAX);
	buf_init(&unknown, MESSAGE_BYTES_MAX);
	if (broker_store(b) && broker_collect_gone_users(b, users, &gone, &unknown)) {
		m.gone = buf_str(&gone);
		m.unknown = buf_str(&unknown);
		(void)!channel_answer(c, call, MESSAGE_AUTH_USERS, &m, -1);
	} else {
		channel_refuse(c, call);
	}
	buf_clear(&gone);
	buf_clear(&unknown);
}

/* When the operator gets the answer "done", nothing that was remembered of the account is used any
 * more. */
static void
finish_account_change(
    struct broker *b, const struct message_admin *m, const struct claimed_identity *target)
{
	if (!user_admin_is_change(m->verb))
		return;
	b->changes++;
	password_cache_forget_user(b->cache, claimed_name(target));
	usual_networks_forget(b->usual_networks, claimed_name(target));
	if (str_eq(m->verb, STR("user.remove")))
		last_logins_forget(b->last_logins, claimed_name(target));
	if (user_admin_ends_sessions(m->verb))
		end_sessions_of_user(b, claimed_name(target));
	log_account_change(b, m, target);
}

static void
broker_run_user_verb(
    struct broker *b, const struct broker_admin_call *r, const struct message_admin *m)
{
	bool is_show = str_eq(m->verb, STR("user.show"));
	struct user_admin_out out = {
	    .row = is_show ? broker_send_account_row : broker_send_row, .arg = (void *)r};
	struct buf text;
	uint8_t code;

	buf_init(&text, TEXT_BYTES);
	out.text = &text;
	code = broker_run_users(b, m, &out);
	if (code == USER_ADMIN_OK)
		finish_account_change(b, m, &out.target);
	broker_send_done(r, code, buf_str(&text));
	buf_clear(&text);
}

static void
broker_run_blocklist_verb(
    struct broker *b, const struct broker_admin_call *r, const struct message_admin *m)
{
	struct buf text;
	struct user_admin_out out = {.row = broker_send_row, .arg = (void *)r, .text = &text};
	uint8_t code;

	buf_init(&text, TEXT_BYTES);
	code = broker_blocklist_run(b, m, &out);
	broker_send_done(r, code, buf_str(&text));
	buf_clear(&text);
}

static void
broker_on_control_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct broker_admin_call r = {.broker = arg, .from = c, .call = p->call};
	const struct message_admin *m = &p->message->admin;
	struct broker *b = arg;

	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_HELLO)
		return;
	if (p->type != MESSAGE_ADMIN) {
		log_error("auth: unexpected %s from control", message_name(p->type));
		channel_refuse(c, p->call);
	} else if (str_eq(m->verb, STR("test.auth")))
		auth_exchange_test(b, c, p->call, m->values);
	else if (user_admin_is_verb(m->verb))
		broker_run_user_verb(b, &r, m);
	else if (broker_blocklist_is_verb(m->verb))
		broker_run_blocklist_verb(b, &r, m);
	else
		broker_send_done(&r, USER_ADMIN_USAGE, STR("auth has no such command"));
}

static void
drop_control_channel(struct channel *c, void *arg)
{
	struct broker *b = arg;

	auth_session_drop_all(b, c);
	channel_free(&b->control);
}

/* ---- submission ---- */

static void
broker_on_submission_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct broker *b = arg;

	if (p->fd >= 0)
		close(p->fd);
	switch (p->type) {
	case MESSAGE_AUTH_START:
		metrics_work_id("auth", (struct msgid){p->message->auth_start.session, 0});
		auth_exchange_start(b, c, p->call, &p->message->auth_start);
		break;
	case MESSAGE_AUTH_STEP:
		auth_exchange_step(b, c, p->call, &p->message->auth_step);
		break;
	case MESSAGE_AUTH_CANCEL:
		auth_exchange_cancel(b, c, &p->message->auth_cancel);
		break;
	case MESSAGE_AUTH_USERS_ASK:
		broker_answer_gone_users(b, c, p->call, p->message->auth_users_ask.users);
		break;
	case MESSAGE_HELLO:
		break;
	default:
		log_error("auth: unexpected %s from submission", message_name(p->type));
		channel_refuse(c, p->call);
	}
}

static void
drop_submission_channel(struct channel *c, void *arg)
{
	struct broker *b = arg;

	auth_session_drop_all(b, c);
	for (int i = 0; i < BROKER_SUBMISSIONS_MAX; i++)
		if (b->submissions[i] == c)
			channel_free(&b->submissions[i]);
}

/* The event loop found the channel lost. drop_... alone is for channels that main replaces. */
static void
broker_submission_lost(struct channel *c, void *arg)
{
	struct broker *b = arg;
	unsigned index = 0;

	while (index < BROKER_SUBMISSIONS_MAX && b->submissions[index] != c)
		index++;
	drop_submission_channel(c, b);
	if (index < BROKER_SUBMISSIONS_MAX)
		role_peer_lost(b->role, b->submission_peers[index]);
}

static void
broker_control_lost(struct channel *c, void *arg)
{
	struct broker *b = arg;

	drop_control_channel(c, b);
	role_peer_lost(b->role, b->control_peer);
}

/* ---- the role ---- */

static void
broker_worker_ended(const struct worker_kind *kind, unsigned index, bool is_stuck, void *arg)
{
	struct broker *b = arg;
	struct message_restart m = {.role = (uint8_t)kind->role, .index = (uint8_t)index};
	char reason[120];

	snprintf(reason, sizeof reason, "it did not finish %s in time, or sent an invalid answer",
	    kind->task);
	m.reason = str_of(reason);

	if (!is_stuck) {
		role_peer_lost(b->role, b->worker_peers[index]);
		return;
	}
	(void)!channel_send(b->role->main, MESSAGE_RESTART, &m, -1);
}

static void
on_broker_sweep(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	auth_session_sweep(arg);
	broker_sweep_store(arg);
	broker_blocklist_read(arg);
}

/* The state is made by the first message of main: a peer or a grant. */
static struct broker *
broker_of(struct role *r)
{
	struct broker *b = r->state;

	if (b)
		return b;
	b = MEM_NEW(struct broker);
	b->role = r;
	b->directory_fd = -1;
	b->absent = ACCOUNTS_REFUSE;
	b->cache = password_cache_new();
	b->failures = failures_new();
	b->failure_list = MEM_NEW(struct failure_list);
	b->usual_networks = usual_networks_new();
	b->last_logins = last_logins_new();
	b->wrong_passwords = password_cache_new();
	b->scram_failures = password_cache_new();
	b->pool = worker_pool_new(r->base, worker_kind_of(ROLE_WORKER), broker_worker_ended, b);
	b->sessions = map_new();
	r->state = b;
	return b;
}

/* SQLite needs a path: this path needs no right to search the directories above. */
static void
broker_grant(struct role *r, const struct message_grant *grant, int fd)
{
	struct broker *b = broker_of(r);
	char path[40];

	if (grant->kind != GRANT_STATE || b->directory_fd >= 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	b->directory_fd = fd;
	b->absent = grant->index == GRANT_STATE_NEW ? ACCOUNTS_MAKE : ACCOUNTS_REFUSE;
	mem_free(b->directory);
	b->directory = mem_text(path, (size_t)snprintf(path, sizeof path, "/proc/self/fd/%d", fd));
}

static void
broker_peer(struct role *r, struct role_peer peer, int fd)
{
	struct broker *b = broker_of(r);
	unsigned index = peer.index;

	if (peer.kind == ROLE_WORKER && index < WORKER_POOL_WORKERS_MAX) {
		b->worker_peers[index] = peer;
		worker_pool_connect_worker(b->pool, index, fd);
	} else if (peer.kind == ROLE_CONTROL) {
		if (b->control)
			drop_control_channel(b->control, b);
		b->control_peer = peer;
		b->control =
		    channel_new(r->base, fd, broker_on_control_packet, broker_control_lost, b);
	} else if (peer.kind == ROLE_SUBMISSION && index < BROKER_SUBMISSIONS_MAX) {
		if (b->submissions[index])
			drop_submission_channel(b->submissions[index], b);
		b->submission_peers[index] = peer;
		b->submissions[index] = channel_new(
		    r->base, fd, broker_on_submission_packet, broker_submission_lost, b);
	} else {
		close(fd);
	}
}

static void
broker_prepare(struct role *r, struct sandbox *sandbox)
{
	struct broker *b = broker_of(r);

	if (!b->directory)
		b->directory = mem_text(r->conf->state_directory.p, r->conf->state_directory.n);
	b->paths[0] = (struct sandbox_path){.path = "/dev/urandom"};
	b->paths[1] = (struct sandbox_path){.fd = b->directory_fd, .may_write = true};
	if (b->directory_fd < 0)
		b->paths[1].path = b->directory;
	sandbox->paths = b->paths;
	sandbox->path_count = sizeof b->paths / sizeof *b->paths;
}

static void
broker_apply_limits(struct broker *b, const struct conf *conf)
{
	worker_pool_set_limits(
	    b->pool, (struct worker_pool_limits){
	                 .deadline_ms = worker_kind_deadline_ms(worker_kind_of(ROLE_WORKER), conf),
	                 .per_network = (uint64_t)conf->auth.checks_per_network});
}

/* A store that cannot be opened does not end the role: logins are answered with 454 until it can be
 * opened. */
static int
broker_start(struct role *r)
{
	struct broker *b = broker_of(r);
	int64_t interval_ms = clock_timeout_ms(SWEEP_MS);
	struct timeval interval = {interval_ms / 1000, interval_ms % 1000 * 1000};

	broker_apply_limits(b, r->conf);
	(void)broker_store(b);
	broker_watch_store(b);
	broker_blocklist_read(b);
	b->sweep = event_new(r->base, -1, EV_PERSIST, on_broker_sweep, b);
	if (!b->sweep || evtimer_add(b->sweep, &interval) != 0)
		die("no event for the sweep");
	return 0;
}

static void
broker_reload(struct role *r, const struct conf *before)
{
	(void)before;
	broker_apply_limits(broker_of(r), r->conf);
	broker_blocklist_read(broker_of(r));
}

static void
broker_end(struct role *r)
{
	struct broker *b = r->state;

	if (!b)
		return;
	auth_session_drop_all(b, NULL);
	for (int i = 0; i < BROKER_SUBMISSIONS_MAX; i++)
		channel_free(&b->submissions[i]);
	channel_free(&b->control);
	worker_pool_free(&b->pool);
	if (b->sweep)
		event_free(b->sweep);
	if (b->store_timer)
		event_free(b->store_timer);
	map_free(&b->sessions);
	password_cache_free(&b->cache);
	failures_free(&b->failures);
	mem_free(b->failure_list);
	blocklist_free(&b->blocks);
	usual_networks_free(&b->usual_networks);
	last_logins_free(&b->last_logins);
	password_cache_free(&b->wrong_passwords);
	password_cache_free(&b->scram_failures);
	accounts_close(&b->accounts);
	if (b->directory_fd >= 0)
		close(b->directory_fd);
	mem_free(b->directory);
	mem_free(b);
	r->state = NULL;
}

const struct role_spec auth_role = {
    .name = "auth",
    .conf = CONF_AUTH,
    .sandbox = {.needs = SANDBOX_READ | SANDBOX_WRITE},
    .grant = broker_grant,
    .peer = broker_peer,
    .prepare = broker_prepare,
    .start = broker_start,
    .reload = broker_reload,
    .end = broker_end,
};

/*
 * broker: the role that decides logins. It has the cache of right passwords, the counts of failures
 * and the blocks. Workers do for it what blocks: one kind reads and writes the accounts, another
 * checks passwords.
 */
#include <stdio.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/auth_exchange.h"
#include "auth/auth_session.h"
#include "auth/broker_backend.h"
#include "auth/broker_blocklist.h"
#include "auth/broker_commands.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { SWEEP_MS = 30 * 1000 };

/* ---- control ---- */

static void
broker_on_control_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_ADMIN) {
		broker_commands_run(arg, c, p->call, &p->message->admin);
	} else if (p->type != MESSAGE_HELLO) {
		log_error("auth: unexpected %s from control", message_name(p->type));
		channel_refuse(c, p->call);
	}
}

static void
drop_control_channel(struct channel *c, void *arg)
{
	struct broker *b = arg;

	auth_session_drop_all(b, c);
	broker_commands_drop(b, c);
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
		broker_commands_ask_users(b, c, p->call, p->message->auth_users_ask.users);
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
	broker_commands_drop(b, c);
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

	if (kind->backend)
		broker_backend_lost(b);
	if (!is_stuck) {
		role_peer_lost(b->role, b->worker_peers[kind - worker_kinds][index]);
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
	b->cache = password_cache_new();
	b->failures = failures_new();
	b->failure_list = MEM_NEW(struct failure_list);
	b->usual_networks = usual_networks_new();
	b->last_logins = last_logins_new();
	b->wrong_passwords = password_cache_new();
	b->scram_failures = password_cache_new();
	for (size_t k = 0; k < WORKER_KINDS; k++) {
		b->pools[k] = worker_pool_new(r->base, &worker_kinds[k], broker_worker_ended, b);
		if (worker_kinds[k].backend)
			worker_pool_on_report(b->pools[k], broker_backend_report);
	}
	b->sessions = map_new();
	broker_backend_init(b);
	r->state = b;
	return b;
}

/* The blocks are in the state directory. Its path needs no right to search the directories above.
 */
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
	mem_free(b->directory);
	b->directory = mem_text(path, (size_t)snprintf(path, sizeof path, "/proc/self/fd/%d", fd));
}

static void
broker_peer(struct role *r, struct role_peer peer, int fd)
{
	struct broker *b = broker_of(r);
	const struct worker_kind *kind = worker_kind_of(peer.kind);
	unsigned index = peer.index;

	if (kind && index < WORKER_POOL_WORKERS_MAX) {
		b->worker_peers[kind - worker_kinds][index] = peer;
		worker_pool_connect_worker(b->pools[kind - worker_kinds], index, fd);
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
	b->path = (struct sandbox_path){.fd = b->directory_fd, .may_write = true};
	if (b->directory_fd < 0)
		b->path.path = b->directory;
	sandbox->paths = &b->path;
	sandbox->path_count = 1;
}

static void
broker_apply_limits(struct broker *b, const struct conf *conf)
{
	for (size_t k = 0; k < WORKER_KINDS; k++)
		worker_pool_set_limits(b->pools[k],
		    (struct worker_pool_limits){
			.deadline_ms = worker_kind_deadline_ms(&worker_kinds[k], conf),
			.per_network = (uint64_t)conf->auth.checks_per_network});
}

static int
broker_start(struct role *r)
{
	struct broker *b = broker_of(r);
	int64_t interval_ms = clock_timeout_ms(SWEEP_MS);
	struct timeval interval = {interval_ms / 1000, interval_ms % 1000 * 1000};

	broker_apply_limits(b, r->conf);
	store_file_directory_note(&b->state_directory, b->directory);
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
	broker_commands_drop(b, NULL);
	for (int i = 0; i < BROKER_SUBMISSIONS_MAX; i++)
		channel_free(&b->submissions[i]);
	channel_free(&b->control);
	for (size_t k = 0; k < WORKER_KINDS; k++)
		worker_pool_free(&b->pools[k]);
	if (b->sweep)
		event_free(b->sweep);
	event_free(b->backend.patience);
	map_free(&b->sessions);
	password_cache_free(&b->cache);
	failures_free(&b->failures);
	mem_free(b->failure_list);
	blocklist_free(&b->blocks);
	usual_networks_free(&b->usual_networks);
	last_logins_free(&b->last_logins);
	password_cache_free(&b->wrong_passwords);
	password_cache_free(&b->scram_failures);
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

/*
 * backend_worker: the worker knows nothing of logins: it gets a name, and answers with what is
 * stored of that one account. Only the broker is its peer.
 */
#include "auth/backend_worker.h"

#include <unistd.h>

#include "auth/worker_kinds.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { TICK_S = 2, TEXT_BYTES = 1024, STATE_BYTES = 4096 };

struct backend_worker {
	struct role *role;
	const struct auth_backend *backend;
	void *store;
	int directory_fd;
	bool may_make_store;
	struct channel *broker;
	struct role_peer broker_peer;
	struct event *timer;
	struct buf reported; /* the state that the broker has; empty: none */
};

/* ---- the state ---- */

/* Sends the state if the broker does not have it. */
static void
report_backend_state(struct backend_worker *w)
{
	struct message_backend_state m = {.is_first = w->reported.n == 0};
	struct auth_backend_state state;
	struct buf now;

	if (!w->broker)
		return;
	w->backend->state(w->store, &state);
	m.changes = state.changes;
	m.exchanges = state.exchanges;
	m.store = state.store;
	m.is_directory_gone = state.is_directory_gone;
	m.trouble = state.trouble;
	buf_init(&now, STATE_BYTES);
	buf_addf(&now, "%llu %llu %d ", (unsigned long long)m.changes,
	    (unsigned long long)m.exchanges, m.is_directory_gone);
	buf_adds(&now, m.store);
	buf_adds(&now, m.trouble);
	if (!str_eq(buf_str(&now), buf_str(&w->reported)) &&
	    channel_send(w->broker, MESSAGE_BACKEND_STATE, &m, -1) == 0) {
		buf_clear(&w->reported);
		w->reported = now;
		return;
	}
	buf_clear(&now);
}

static void
on_backend_tick(evutil_socket_t fd, short what, void *arg)
{
	struct backend_worker *w = arg;

	(void)fd, (void)what;
	metrics_work("check of the account store");
	metrics_blocking(true);
	w->backend->tick(w->store);
	metrics_blocking(false);
	report_backend_state(w);
}

/* ---- requests ---- */

static void
answer_look_up(struct backend_worker *w, uint64_t call, struct str name)
{
	char secret[SCRAM_SECRET_TEXT_BYTES] = "";
	struct auth_backend_account found;
	struct message_account m;

	w->backend->look_up(w->store, name, &found);
	if (found.result == AUTH_BACKEND_FOUND || found.result == AUTH_BACKEND_NONE)
		scram_secret_text(&found.secret, secret);
	m = (struct message_account){.result = (uint8_t)found.result, .name = str_of(found.name),
	    .is_suspended = found.is_suspended, .secret = str_of(secret)};
	report_backend_state(w);
	(void)!channel_answer(w->broker, call, MESSAGE_ACCOUNT, &m, -1);
	mem_wipe(secret, sizeof secret);
	mem_wipe(&found, sizeof found);
}

/* Collects the names that are no accounts or are suspended, and the names that cannot be looked up
 * now. */
static bool
collect_gone_users(
    struct backend_worker *w, struct str users, struct buf *gone, struct buf *unknown)
{
	struct auth_backend_account found;
	struct buf *list;
	struct str name;
	bool is_known;

	for (; users.n; users = str_from(users, name.n + 1)) {
		name = str_upto(users, str_find(users, 0));
		w->backend->look_up(w->store, name, &found);
		is_known = found.result == AUTH_BACKEND_FOUND || found.result == AUTH_BACKEND_NONE;
		if (found.result == AUTH_BACKEND_FOUND && !found.is_suspended &&
		    str_eq(str_of(found.name), name))
			continue;
		list = is_known ? gone : unknown;
		buf_adds(list, name);
		buf_addc(list, 0);
	}
	mem_wipe(&found, sizeof found);
	return buf_ok(gone) && buf_ok(unknown);
}

static void
answer_users_look_up(struct backend_worker *w, uint64_t call, struct str users)
{
	struct message_users_found m = {.gone = STR(""), .unknown = STR("")};
	struct buf gone, unknown;

	buf_init(&gone, MESSAGE_BYTES_MAX);
	buf_init(&unknown, MESSAGE_BYTES_MAX);
	m.is_usable = w->backend->is_usable(w->store) &&
	    collect_gone_users(w, users, &gone, &unknown);
	if (m.is_usable) {
		m.gone = buf_str(&gone);
		m.unknown = buf_str(&unknown);
	}
	report_backend_state(w);
	(void)!channel_answer(w->broker, call, MESSAGE_USERS_FOUND, &m, -1);
	buf_clear(&gone);
	buf_clear(&unknown);
}

struct backend_command {
	struct backend_worker *worker;
	uint64_t call;
};

static void
send_account_row(struct str values, void *arg)
{
	const struct backend_command *command = arg;
	struct message_admin_row m = {values};

	(void)!channel_answer(command->worker->broker, command->call, MESSAGE_ADMIN_ROW, &m, -1);
}

static void
answer_account_command(struct backend_worker *w, uint64_t call, const struct message_admin *m)
{
	struct backend_command command = {w, call};
	struct message_account_done done = {.exit_code = USER_ADMIN_USAGE};
	struct user_admin_out out = {.row = send_account_row, .arg = &command};
	struct buf text;

	buf_init(&text, TEXT_BYTES);
	out.text = &text;
	if (w->backend->run)
		done.exit_code = w->backend->run(w->store, m, &out);
	else
		buf_addz(&text, "accounts are not changed here");
	done.text = buf_str(&text);
	done.target = claimed_name(&out.target);
	done.was_suspended = out.was_suspended;
	report_backend_state(w);
	(void)!channel_answer(w->broker, call, MESSAGE_ACCOUNT_DONE, &done, -1);
	buf_clear(&text);
}

static void
on_backend_request(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct backend_worker *w = arg;

	if (p->fd >= 0)
		close(p->fd);
	metrics_blocking(true);
	switch (p->type) {
	case MESSAGE_LOOK_UP:
		metrics_work_on("look-up", p->message->look_up.name);
		answer_look_up(w, p->call, p->message->look_up.name);
		break;
	case MESSAGE_USERS_LOOK_UP:
		metrics_work("look-up of users");
		answer_users_look_up(w, p->call, p->message->users_look_up.users);
		break;
	case MESSAGE_ACCOUNT_COMMAND:
		metrics_work_on("command", p->message->admin.verb);
		answer_account_command(w, p->call, &p->message->admin);
		break;
	case MESSAGE_HELLO:
		break;
	default:
		log_error("%s: unexpected %s", w->role->spec->name, message_name(p->type));
		channel_refuse(c, p->call);
	}
	metrics_blocking(false);
}

/* ---- the role ---- */

static void
backend_broker_lost(struct channel *c, void *arg)
{
	struct backend_worker *w = arg;

	(void)c;
	channel_free(&w->broker);
	role_peer_lost(w->role, w->broker_peer);
}

static struct backend_worker *
backend_worker_of(struct role *r)
{
	struct backend_worker *w = r->state;

	if (w)
		return w;
	r->state = w = MEM_NEW(struct backend_worker);
	w->role = r;
	w->backend = worker_kind_of(r->kind)->backend;
	w->directory_fd = -1;
	buf_init(&w->reported, STATE_BYTES);
	return w;
}

void
backend_worker_grant(struct role *r, const struct message_grant *grant, int fd)
{
	struct backend_worker *w = backend_worker_of(r);

	if (grant->kind != GRANT_STATE || w->directory_fd >= 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	w->directory_fd = fd;
	w->may_make_store = grant->index == GRANT_STATE_NEW;
}

void
backend_worker_prepare(struct role *r, struct sandbox *sandbox)
{
	struct backend_worker *w = backend_worker_of(r);

	w->store = w->backend->open(r, w->directory_fd, w->may_make_store);
	w->backend->prepare(w->store, sandbox);
}

void
backend_worker_peer(struct role *r, struct role_peer peer, int fd)
{
	struct backend_worker *w = backend_worker_of(r);

	if (peer.kind != ROLE_AUTH) {
		close(fd);
		return;
	}
	channel_free(&w->broker);
	w->broker_peer = peer;
	w->broker = channel_new(r->base, fd, on_backend_request, backend_broker_lost, w);
	buf_clear(&w->reported);
	buf_init(&w->reported, STATE_BYTES);
	if (w->timer)
		report_backend_state(w);
}

int
backend_worker_start(struct role *r)
{
	struct backend_worker *w = backend_worker_of(r);
	struct timeval interval = {.tv_sec = TICK_S};

	w->timer = event_new(r->base, -1, EV_PERSIST, on_backend_tick, w);
	if (!w->timer || evtimer_add(w->timer, &interval) != 0)
		die("no event to check the account store");
	w->backend->tick(w->store);
	report_backend_state(w);
	return 0;
}

void
backend_worker_end(struct role *r)
{
	struct backend_worker *w = r->state;

	if (!w)
		return;
	channel_free(&w->broker);
	if (w->timer)
		event_free(w->timer);
	if (w->store)
		w->backend->close(w->store);
	if (w->directory_fd >= 0)
		close(w->directory_fd);
	buf_clear(&w->reported);
	mem_free(w);
	r->state = NULL;
}

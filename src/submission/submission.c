/*
 * submission: the role.  It holds accepted sockets and channels to keys, auth and queue; it opens
 * no file and no socket, and a thread writes and closes the files that the queue gives it.  A
 * service that dies costs the sessions a temporary refusal, never their connection.
 */
#include "submission/submission.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "submission/account_recheck.h"
#include "submission/certificates.h"
#include "submission/listener.h"
#include "submission/smtpd_connection.h"

enum { LAST_WORDS_S = 2 };

/* ---- timers ---- */

static void
on_tls_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	certificates_use(arg);
}

static void
on_accept_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd;
	(void)what;
	if (!g->role->is_stopping)
		listener_start_all(g);
}

/* Whoever is still at it is answered with 421 too, and gets a moment to read that. */
static void
on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;
	struct timeval tv = {LAST_WORDS_S, 0};

	(void)fd;
	(void)what;
	if (g->is_last_call) {
		role_stopped(g->role);
		return;
	}
	g->is_last_call = true;
	event_add(g->stop_timer, &tv);
	connection_stop_all(g);
}

static struct event *
timer_new(struct gate *g, event_callback_fn fn)
{
	struct event *e = event_new(g->base, -1, 0, fn, g);

	if (!e)
		die("no timer");
	return e;
}

/* ---- what main gives ---- */

/* The keys process lives, or is replaced by main: either way a new end comes from main. */
static void
gate_signer_lost(void *arg)
{
	struct gate *g = arg;

	role_peer_lost(g->role, g->keys_peer);
}

static struct gate *
gate_of(struct role *r)
{
	struct gate *g = r->state;

	if (g)
		return g;
	r->state = g = MEM_NEW(struct gate);
	g->role = r;
	g->base = r->base;
	g->signer = signer_new(gate_signer_lost, g);
	g->tokens = tokens_new(r->base);
	g->spare_fd = -1;
	g->clients_fd = -1;
	for (size_t i = 0; i < GATE_LISTENERS; i++)
		g->listeners[i].fd = -1;
	LIST_INIT(&g->connections);
	LIST_INIT(&g->unchecked);
	g->room.file_bytes = UINT64_MAX;
	g->recheck = recheck_new(g);
	g->tls_timer = timer_new(g, on_tls_timer);
	g->accept_timer = timer_new(g, on_accept_timer);
	g->stop_timer = timer_new(g, on_stop_timer);
	return g;
}

static void
take_ticket_key(struct gate *g, struct str key)
{
	if (key.n == sizeof g->ticket_key)
		memcpy(g->ticket_key, key.p, key.n);
	else
		log_error("the TLS ticket key from main has a wrong size of %zu bytes", key.n);
}

static void
take_clients(struct gate *g, unsigned region, int fd)
{
	clients_close(&g->clients);
	g->clients = fd >= 0 ? clients_open(fd, region) : NULL;
	if (!g->clients)
		log_error("the table of clients cannot be mapped: %m");
}

static void
grant(struct role *r, const struct message_grant *m, int fd)
{
	struct gate *g = gate_of(r);

	switch ((enum role_grant)m->kind) {
	case GRANT_LISTENER:
		listener_take(g, m->index, fd);
		return;
	case GRANT_CERTIFICATE:
		certificates_take(g, m->index, m->name, fd);
		if (r->is_started)
			certificates_changed(g);
		return;
	case GRANT_TICKET_KEY:
		take_ticket_key(g, m->name);
		break;
	case GRANT_CLIENTS:
		take_clients(g, m->index, fd);
		break;
	default:
		log_error(
		    "main sent a grant of a kind that submission does not know (%u)", m->kind);
	}
	if (fd >= 0)
		close(fd);
}

/* ---- services ---- */

static void
from_service(struct channel *c, const struct packet *p, void *arg)
{
	struct gate *g = arg;

	if (p->fd >= 0)
		close(p->fd);
	if (c == g->auth && p->type == MESSAGE_AUTH_USER_GONE)
		connection_user_gone(g, p->message->auth_user_gone.user);
	else if (c == g->queue && p->type == MESSAGE_LEASE_RECALL)
		tokens_recall(g->tokens, p->message->lease_recall.user);
	else if (c == g->queue && p->type == MESSAGE_ROOM)
		g->room = p->message->room;
	else
		channel_refuse(c, p->call);
}

static void
service_lost(struct channel *c, void *arg)
{
	struct gate *g = arg;

	if (c == g->auth) {
		channel_free(&g->auth);
		role_peer_lost(g->role, g->auth_peer);
	} else if (c == g->queue) {
		tokens_connect(g->tokens, NULL);
		channel_free(&g->queue);
		role_peer_lost(g->role, g->queue_peer);
	}
}

static void
take_service(struct gate *g, struct channel **place, int fd)
{
	struct channel *before = *place;

	*place = channel_new(g->base, fd, from_service, service_lost, g);
	if (before)
		channel_end(&before);
}

/* A file whose message is over. */
static void
close_late_file(int fd, void *arg)
{
	const struct gate *g = arg;
	struct disk_file *f;

	if (!g->disk) {
		close(fd);
		return;
	}
	f = disk_file_new(g->disk, fd, (struct msgid){0});
	disk_file_drop(&f);
}

static void
peer(struct role *r, struct role_peer who, int fd)
{
	struct gate *g = gate_of(r);

	switch (who.kind) {
	case ROLE_KEYS:
		g->keys_peer = who;
		signer_connect(g->signer, fd);
		if (r->is_started)
			certificates_changed(g);
		return;
	case ROLE_AUTH:
		g->auth_peer = who;
		take_service(g, &g->auth, fd);
		if (r->conf)
			channel_step_timeout(g->auth, r->conf->auth.step_timeout_ms);
		recheck_begin(g->recheck);
		return;
	case ROLE_QUEUE:
		g->queue_peer = who;
		tokens_connect(g->tokens, NULL);
		g->room = (struct message_room){.file_bytes = UINT64_MAX};
		take_service(g, &g->queue, fd);
		channel_take_late(g->queue, close_late_file, g);
		tokens_connect(g->tokens, g->queue);
		return;
	default:
		close(fd);
	}
}

/* ---- life ---- */

static int
start(struct role *r)
{
	static const struct stall_thread thread = {"submission", "bodies",
	    "no mail above 128 KiB is taken meanwhile"};
	struct gate *g = gate_of(r);

	g->disk = disk_new(&(struct disk_setup){.base = r->base, .thread = &thread});
	if (!g->disk) {
		log_error("submission: no thread: %m");
		return -1;
	}
	certificates_use(g);
	listener_start_all(g);
	return 0;
}

/* Sessions keep the tree they began with; listeners and certificates come as grants of their own.
 */
static void
reload(struct role *r, const struct conf *before)
{
	struct gate *g = gate_of(r);

	(void)before;
	if (g->auth)
		channel_step_timeout(g->auth, r->conf->auth.step_timeout_ms);
	listener_start_all(g);
	certificates_changed(g);
}

static void
stop(struct role *r, int64_t drain_ms)
{
	struct gate *g = gate_of(r);
	struct timeval tv = {drain_ms / 1000, drain_ms % 1000 * 1000};

	listener_close_all(g);
	event_del(g->accept_timer);
	connection_stop_all(g);
	if (g->connection_count == 0)
		role_stopped(r);
	else
		event_add(g->stop_timer, &tv);
}

static void
end(struct role *r)
{
	struct gate *g = r->state;

	if (!g)
		return;
	r->is_stopping = false;
	recheck_free(&g->recheck);
	connection_free_all(g);
	disk_free(&g->disk);
	listener_close_all(g);
	certificates_free(g);
	signer_free(&g->signer);
	tokens_free(&g->tokens);
	channel_free(&g->auth);
	channel_free(&g->queue);
	clients_close(&g->clients);
	if (g->spare_fd >= 0)
		close(g->spare_fd);
	event_free(g->tls_timer);
	event_free(g->accept_timer);
	event_free(g->stop_timer);
	mem_wipe(g->ticket_key, sizeof g->ticket_key);
	mem_free(g);
	r->state = NULL;
}

const struct role_spec submission_role = {
    .name = "submission",
    .conf = CONF_SUBMISSION,
    .sandbox = {.needs = SANDBOX_ACCEPT | SANDBOX_THREADS},
    .grant = grant,
    .peer = peer,
    .start = start,
    .reload = reload,
    .stop = stop,
    .end = end,
};

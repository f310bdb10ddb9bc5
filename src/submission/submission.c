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

enum { LAST_REPLY_S = 2 };

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
	struct submission *g = arg;

	(void)fd;
	(void)what;
	if (!g->role->is_stopping)
		listener_start_all(g);
}

/* Whoever is still at it is answered with 421 too, and gets a moment to read that. */
static void
on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct submission *g = arg;
	struct timeval tv = {LAST_REPLY_S, 0};

	(void)fd;
	(void)what;
	if (g->is_last_call) {
		role_stopped(g->role);
		return;
	}
	g->is_last_call = true;
	event_add(g->stop_timer, &tv);
	smtpd_connection_stop_all(g);
}

static struct event *
submission_timer_new(struct submission *g, event_callback_fn fn)
{
	struct event *e = event_new(g->base, -1, 0, fn, g);

	if (!e)
		die("no timer");
	return e;
}

/* ---- what main gives ---- */

/* The keys process lives, or is replaced by main: either way a new end comes from main. */
static void
submission_signer_lost(void *arg)
{
	struct submission *g = arg;

	role_peer_lost(g->role, g->keys_peer);
}

static struct submission *
submission_of(struct role *r)
{
	struct submission *g = r->state;

	if (g)
		return g;
	r->state = g = MEM_NEW(struct submission);
	g->role = r;
	g->base = r->base;
	g->signer = signer_new(submission_signer_lost, g);
	g->tokens = limit_tokens_new(r->base);
	g->spare_fd = -1;
	g->clients_fd = -1;
	for (size_t i = 0; i < SUBMISSION_LISTENERS; i++)
		g->listeners[i].fd = -1;
	LIST_INIT(&g->connections);
	LIST_INIT(&g->unchecked);
	g->room.file_bytes = UINT64_MAX;
	g->recheck = recheck_new(g);
	g->tls_timer = submission_timer_new(g, on_tls_timer);
	g->accept_timer = submission_timer_new(g, on_accept_timer);
	g->stop_timer = submission_timer_new(g, on_stop_timer);
	return g;
}

static void
take_ticket_key(struct submission *g, struct str key)
{
	if (key.n == sizeof g->ticket_key)
		memcpy(g->ticket_key, key.p, key.n);
	else
		log_error("the TLS ticket key from main has a wrong size of %zu bytes", key.n);
}

static void
open_client_counts(struct submission *g, unsigned region, int fd)
{
	client_counts_close(&g->clients);
	g->clients = fd >= 0 ? client_counts_open(fd, region) : NULL;
	if (!g->clients)
		log_error("the table of clients cannot be mapped: %m");
}

static void
submission_grant(struct role *r, const struct message_grant *m, int fd)
{
	struct submission *g = submission_of(r);

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
		open_client_counts(g, m->index, fd);
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
on_service_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct submission *g = arg;

	if (p->fd >= 0)
		close(p->fd);
	if (c == g->auth && p->type == MESSAGE_AUTH_USER_GONE)
		smtpd_connection_user_gone(g, p->message->auth_user_gone.user);
	else if (c == g->queue && p->type == MESSAGE_LEASE_RECALL)
		limit_tokens_recall(g->tokens, p->message->lease_recall.user);
	else if (c == g->queue && p->type == MESSAGE_ROOM)
		g->room = p->message->room;
	else
		channel_refuse(c, p->call);
}

static void
on_service_lost(struct channel *c, void *arg)
{
	struct submission *g = arg;

	if (c == g->auth) {
		channel_free(&g->auth);
		role_peer_lost(g->role, g->auth_peer);
	} else if (c == g->queue) {
		limit_tokens_set_queue(g->tokens, NULL);
		channel_free(&g->queue);
		role_peer_lost(g->role, g->queue_peer);
	}
}

static void
connect_to_service(struct submission *g, struct channel **place, int fd)
{
	struct channel *before = *place;

	*place = channel_new(g->base, fd, on_service_packet, on_service_lost, g);
	if (before)
		channel_end(&before);
}

/* A file whose message is over. */
static void
close_late_file(int fd, void *arg)
{
	const struct submission *g = arg;
	struct async_io_file *f;

	if (!g->disk) {
		close(fd);
		return;
	}
	f = async_io_file_new(g->disk, fd, (struct msgid){0});
	async_io_file_drop(&f);
}

static void
submission_peer(struct role *r, struct role_peer who, int fd)
{
	struct submission *g = submission_of(r);

	switch (who.kind) {
	case ROLE_KEYS:
		g->keys_peer = who;
		signer_connect(g->signer, fd);
		if (r->is_started)
			certificates_changed(g);
		return;
	case ROLE_AUTH:
		g->auth_peer = who;
		connect_to_service(g, &g->auth, fd);
		if (r->conf)
			channel_step_timeout(g->auth, r->conf->auth.step_timeout_ms);
		recheck_begin(g->recheck);
		return;
	case ROLE_QUEUE:
		g->queue_peer = who;
		limit_tokens_set_queue(g->tokens, NULL);
		g->room = (struct message_room){.file_bytes = UINT64_MAX};
		connect_to_service(g, &g->queue, fd);
		channel_take_late(g->queue, close_late_file, g);
		limit_tokens_set_queue(g->tokens, g->queue);
		return;
	default:
		close(fd);
	}
}

/* ---- life ---- */

static int
submission_start(struct role *r)
{
	static const struct stall_thread thread = {"submission", "bodies",
	    "no mail above 128 KiB is taken meanwhile"};
	struct submission *g = submission_of(r);

	g->disk = async_io_new(&(struct async_io_setup){.base = r->base, .thread = &thread});
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
submission_reload(struct role *r, const struct conf *before)
{
	struct submission *g = submission_of(r);

	(void)before;
	if (g->auth)
		channel_step_timeout(g->auth, r->conf->auth.step_timeout_ms);
	listener_start_all(g);
	certificates_changed(g);
}

static void
submission_stop(struct role *r, int64_t drain_ms)
{
	struct submission *g = submission_of(r);
	struct timeval tv = {drain_ms / 1000, drain_ms % 1000 * 1000};

	listener_close_all(g);
	event_del(g->accept_timer);
	smtpd_connection_stop_all(g);
	if (g->connection_count == 0)
		role_stopped(r);
	else
		event_add(g->stop_timer, &tv);
}

static void
submission_end(struct role *r)
{
	struct submission *g = r->state;

	if (!g)
		return;
	r->is_stopping = false;
	recheck_free(&g->recheck);
	smtpd_connection_free_all(g);
	async_io_free(&g->disk);
	listener_close_all(g);
	certificates_free(g);
	signer_free(&g->signer);
	limit_tokens_free(&g->tokens);
	channel_free(&g->auth);
	channel_free(&g->queue);
	client_counts_close(&g->clients);
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
    .grant = submission_grant,
    .peer = submission_peer,
    .start = submission_start,
    .reload = submission_reload,
    .stop = submission_stop,
    .end = submission_end,
};

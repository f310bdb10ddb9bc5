/*
 * submission: the role. It holds accepted sockets and channels to keys, auth and queue. It opens no
 * file and no socket itself; a thread writes and closes the files that the queue opened. When
 * another role ends, sessions answer with a temporary refusal, and their connections continue.
 */
#include "submission/submission.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "submission/account_recheck.h"
#include "submission/certificates.h"
#include "submission/listener.h"
#include "submission/services.h"
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
	struct submission *submission = arg;

	(void)fd;
	(void)what;
	if (!submission->role->is_stopping)
		listener_start_all(submission);
}

/* Sessions that still run get 421 too, and a moment to read it. */
static void
on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct submission *submission = arg;
	struct timeval tv = {LAST_REPLY_S, 0};

	(void)fd;
	(void)what;
	if (submission->is_stop_deadline_over) {
		role_stopped(submission->role);
		return;
	}
	submission->is_stop_deadline_over = true;
	event_add(submission->stop_timer, &tv);
	smtpd_connection_stop_all(submission);
}

static struct event *
submission_timer_new(struct submission *submission, event_callback_fn fn)
{
	struct event *e = event_new(submission->base, -1, 0, fn, submission);

	if (!e)
		die("no timer");
	return e;
}

/* ---- grants of main ---- */

/* Main sends a new channel in both cases: when the keys process lives, and when it is replaced. */
static void
submission_signer_lost(struct role_peer peer, void *arg)
{
	struct submission *submission = arg;

	role_peer_lost(submission->role, peer);
}

static struct submission *
submission_of(struct role *r)
{
	struct submission *submission = r->state;

	if (submission)
		return submission;
	r->state = submission = MEM_NEW(struct submission);
	submission->role = r;
	submission->base = r->base;
	submission->signer = signer_new(r->index, submission_signer_lost, submission);
	submission->tokens = limit_tokens_new(r->base);
	submission->services = &services_of_smtpd_connection;
	submission->spare_fd = -1;
	for (size_t i = 0; i < SUBMISSION_LISTENERS; i++)
		submission->listeners[i].fd = -1;
	LIST_INIT(&submission->connections);
	LIST_INIT(&submission->unchecked);
	submission->room.file_bytes = UINT64_MAX;
	submission->recheck = recheck_new(submission);
	submission->tls_timer = submission_timer_new(submission, on_tls_timer);
	submission->accept_timer = submission_timer_new(submission, on_accept_timer);
	submission->stop_timer = submission_timer_new(submission, on_stop_timer);
	return submission;
}

static void
take_ticket_key(struct submission *submission, struct str key)
{
	if (key.n == sizeof submission->ticket_key)
		memcpy(submission->ticket_key, key.p, key.n);
	else
		log_error("the TLS ticket key from main has a wrong size of %zu bytes", key.n);
}

static void
open_client_counts(struct submission *submission, unsigned region, int fd)
{
	client_counts_close(&submission->client_counts);
	submission->client_counts = fd >= 0 ? client_counts_open(fd, region) : NULL;
	if (!submission->client_counts)
		log_error("the table of clients cannot be mapped: %m");
}

static void
submission_grant(struct role *r, const struct message_grant *m, int fd)
{
	struct submission *submission = submission_of(r);

	switch ((enum role_grant)m->kind) {
	case GRANT_LISTENER:
		listener_take(submission, m->index, fd);
		return;
	case GRANT_CERTIFICATE:
		certificates_take(submission, m->index, m->name, fd);
		if (r->is_started)
			certificates_changed(submission);
		return;
	case GRANT_TICKET_KEY:
		take_ticket_key(submission, m->name);
		break;
	case GRANT_CLIENTS:
		open_client_counts(submission, m->index, fd);
		break;
	default:
		log_error(
		    "main sent a grant of a kind that submission does not know (%u)", m->kind);
	}
	if (fd >= 0)
		close(fd);
}

/* ---- channels to the other roles ---- */

static void
on_service_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct submission *submission = arg;

	if (p->fd >= 0)
		close(p->fd);
	if (c == submission->auth && p->type == MESSAGE_AUTH_USER_GONE)
		smtpd_connection_user_gone(submission, p->message->auth_user_gone.user);
	else if (c == submission->queue && p->type == MESSAGE_LEASE_RECALL)
		limit_tokens_recall(submission->tokens, p->message->lease_recall.user);
	else if (c == submission->queue && p->type == MESSAGE_ROOM)
		submission->room = p->message->room;
	else
		channel_refuse(c, p->call);
}

static void
on_service_lost(struct channel *c, void *arg)
{
	struct submission *submission = arg;

	if (c == submission->auth) {
		channel_free(&submission->auth);
		role_peer_lost(submission->role, submission->auth_peer);
	} else if (c == submission->queue) {
		limit_tokens_set_queue(submission->tokens, NULL);
		channel_free(&submission->queue);
		role_peer_lost(submission->role, submission->queue_peer);
	}
}

static void
connect_to_service(struct submission *submission, struct channel **channel, int fd)
{
	struct channel *former = *channel;

	*channel =
	    channel_new(submission->base, fd, on_service_packet, on_service_lost, submission);
	if (former)
		channel_end(&former);
}

/* A file whose message has ended meanwhile. */
static void
close_late_file(int fd, void *arg)
{
	const struct submission *submission = arg;
	struct async_io_file *f;

	if (!submission->disk) {
		close(fd);
		return;
	}
	f = async_io_file_new(submission->disk, fd, (struct msgid){0});
	async_io_file_drop(&f);
}

static void
submission_peer(struct role *r, struct role_peer who, int fd)
{
	struct submission *submission = submission_of(r);

	switch (who.kind) {
	case ROLE_KEYS:
		signer_connect(submission->signer, who, fd);
		if (r->is_started)
			certificates_changed(submission);
		return;
	case ROLE_AUTH:
		submission->auth_peer = who;
		connect_to_service(submission, &submission->auth, fd);
		if (r->conf)
			channel_step_timeout(submission->auth, r->conf->auth.step_timeout_ms);
		recheck_begin(submission->recheck);
		return;
	case ROLE_QUEUE:
		submission->queue_peer = who;
		limit_tokens_set_queue(submission->tokens, NULL);
		submission->room = (struct message_room){.file_bytes = UINT64_MAX};
		connect_to_service(submission, &submission->queue, fd);
		channel_take_late(submission->queue, close_late_file, submission);
		limit_tokens_set_queue(submission->tokens, submission->queue);
		return;
	default:
		close(fd);
	}
}

/* ---- lifetime of the role ---- */

static int
submission_start(struct role *r)
{
	static const struct stall_thread thread = {"submission", "bodies",
	    "no mail above 128 KiB is taken meanwhile"};
	struct submission *submission = submission_of(r);

	submission->disk =
	    async_io_new(&(struct async_io_setup){.base = r->base, .thread = &thread});
	if (!submission->disk) {
		log_error("submission: no thread: %m");
		return -1;
	}
	certificates_use(submission);
	listener_start_all(submission);
	return 0;
}

/* Sessions keep the configuration with which they began; listeners and certificates come as grants
 * of their own. */
static void
submission_reload(struct role *r, const struct conf *former)
{
	struct submission *submission = submission_of(r);

	(void)former;
	if (submission->auth)
		channel_step_timeout(submission->auth, r->conf->auth.step_timeout_ms);
	listener_start_all(submission);
	certificates_changed(submission);
}

static void
submission_stop(struct role *r, int64_t drain_ms)
{
	struct submission *submission = submission_of(r);
	struct timeval tv = {drain_ms / 1000, drain_ms % 1000 * 1000};

	listener_close_all(submission);
	event_del(submission->accept_timer);
	smtpd_connection_stop_all(submission);
	if (submission->connection_count == 0)
		role_stopped(r);
	else
		event_add(submission->stop_timer, &tv);
}

static void
submission_end(struct role *r)
{
	struct submission *submission = r->state;

	if (!submission)
		return;
	r->is_stopping = false;
	recheck_free(&submission->recheck);
	smtpd_connection_free_all(submission);
	async_io_free(&submission->disk);
	listener_close_all(submission);
	certificates_free(submission);
	signer_free(&submission->signer);
	limit_tokens_free(&submission->tokens);
	channel_free(&submission->auth);
	channel_free(&submission->queue);
	client_counts_close(&submission->client_counts);
	if (submission->spare_fd >= 0)
		close(submission->spare_fd);
	event_free(submission->tls_timer);
	event_free(submission->accept_timer);
	event_free(submission->stop_timer);
	mem_wipe(submission->ticket_key, sizeof submission->ticket_key);
	mem_free(submission);
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

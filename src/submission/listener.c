/*
 * listener: accepts in batches. One spare descriptor is kept to accept and close a waiting client
 * when no descriptor is left; then accepting pauses, so that a full descriptor table does not
 * become a busy loop.
 */
#include "submission/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/endpoint.h"
#include "submission/smtpd_connection.h"

enum { BATCH = 32, PAUSE_MS = 100, REFUSED_LOG_MS = 1000, NETWORK6_BYTES = 8 };

/* ---- the client's network ---- */

/* IPv4: the address; IPv6: the /64, which is what one customer has. */
static struct str
client_network_of(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;

	if (a->ss_family == AF_INET)
		return str_make((const char *)&in4->sin_addr, 4);
	if (a->ss_family != AF_INET6)
		return STR("none");
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return str_make((const char *)&in6->sin6_addr + 12, 4);
	return str_make((const char *)&in6->sin6_addr, NETWORK6_BYTES);
}

/* ---- refusals ---- */

struct listener_refusal {
	const char *reason; /* for the log */
	const char *enhanced;
	const char *text;
	enum metric metric;
	int error; /* errno of the accept; 0: there was none */
};
static const struct listener_refusal too_many_connections = {
    "too_many_connections", "4.7.0", "Too many connections", METRIC_CONNECTIONS_REFUSED_LIMIT, 0};
static const struct listener_refusal too_many_per_client = {
    "too_many_connections_per_client", "4.7.0", "Too many connections from your address",
    METRIC_CONNECTIONS_REFUSED_CLIENT_LIMIT, 0};
static const struct listener_refusal no_certificate = {
    "no_certificate", "4.7.0", "TLS is not available now, for there is no certificate",
    METRIC_CONNECTIONS_REFUSED_NO_CERTIFICATE, 0};

/* is_told: 421 was sent. */
static void
log_refused_client(struct submission *submission, const struct smtpd_connection_client *client,
    const struct listener_refusal *refusal, bool is_told)
{
	int64_t now = clock_mono_ms();
	char ip[INET6_ADDRSTRLEN_];
	struct log_line l;
	uint16_t port;

	submission->refused_count++;
	if (submission->refused_logged_ms && now - submission->refused_logged_ms < REFUSED_LOG_MS)
		return;
	endpoint_text(&client->from, ip, &port);
	log_begin(&l, LOG_NOTICE, "refuse");
	log_id(&l, (struct msgid){id_next(&submission->role->ids), 0}, 0);
	log_str(&l, "stage", STR("connect"));
	log_str(&l, "reason", str_of(refusal->reason));
	if (is_told) {
		log_num(&l, "code", 421);
		log_str(&l, "dsn", str_of(refusal->enhanced));
	}
	log_str(&l, "ip", str_of(ip));
	log_num(&l, "count", submission->refused_count);
	if (refusal->error)
		log_quoted(&l, "error", str_of(error_text(refusal->error)));
	log_end(&l);
	submission->refused_logged_ms = now;
	submission->refused_count = 0;
}

/* True: the reply was sent.  A client that expects TLS first could not read it. */
static bool
reply_to_refused(int fd, const struct conf_listen *listen, const struct listener_refusal *refusal)
{
	struct smtp_status status =
	    smtp_status_make(421, refusal->enhanced, "%s", refusal->text);
	struct buf reply;
	bool is_sent;

	if (listen->tls != LISTEN_STARTTLS)
		return false;
	buf_init(&reply, 512);
	smtp_status_reply(&status, &reply);
	is_sent = send(fd, reply.p, reply.n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)reply.n;
	buf_clear(&reply);
	shutdown(fd, SHUT_WR);
	return is_sent;
}

static void
refuse_client(struct submission *submission, const struct smtpd_connection_client *client,
    const struct conf_listen *listen, const struct listener_refusal *refusal)
{
	bool is_told = client->fd >= 0 && reply_to_refused(client->fd, listen, refusal);

	metrics_count(refusal->metric, 1);
	log_refused_client(submission, client, refusal, is_told);
	if (client->fd >= 0)
		close(client->fd);
}

/* ---- limits ---- */

static void
accept_client(struct submission *submission, const struct smtpd_connection_client *client,
    const struct conf_listen *listen)
{
	const struct conf *conf = submission->role->conf;
	unsigned per_client = (unsigned)conf->limits.sessions_per_client;

	uint64_t sessions = submission->client_counts
	                        ? client_counts_sessions(submission->client_counts)
	                        : submission->connection_count;

	if (sessions >= (uint64_t)conf->limits.sessions) {
		refuse_client(submission, client, listen, &too_many_connections);
		return;
	}
	if (!submission->tls && listen->tls == LISTEN_IMPLICIT) {
		refuse_client(submission, client, listen, &no_certificate);
		return;
	}
	if (submission->client_counts &&
	    !client_counts_add(submission->client_counts, client->network, per_client)) {
		refuse_client(submission, client, listen, &too_many_per_client);
		return;
	}
	smtpd_connection_new(submission, client, listen);
}

/* ---- accepting ---- */

static void
pause_all_listeners(struct submission *submission)
{
	struct timeval tv = {0, PAUSE_MS * 1000};

	for (size_t i = 0; i < SUBMISSION_LISTENERS; i++)
		if (submission->listeners[i].event)
			event_del(submission->listeners[i].event);
	event_add(submission->accept_timer, &tv);
}

/* A duplicate of the standard input that main gave: a duplicate of a listening socket would keep
 * its port open after a reload has closed the listener. */
static void
open_spare_descriptor(struct submission *submission)
{
	submission->spare_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
}

/* No client can be accepted: closes the spare descriptor to accept and refuse the first one that
 * waits. */
static void
refuse_without_descriptor(struct submission *submission, const struct listener *l)
{
	struct smtpd_connection_client client = {.fd = -1, .from = {.ss_family = AF_UNSPEC}};
	struct listener_refusal no_descriptors = {"descriptors", "4.3.5",
	    "Too many files are open in this system, try again later",
	    METRIC_CONNECTIONS_REFUSED_NO_DESCRIPTOR, errno};
	socklen_t size = sizeof client.from;
	bool is_lack = error_text_is_descriptors(no_descriptors.error);

	if (is_lack)
		metrics_lacks_descriptors();
	else
		no_descriptors.reason = "memory";
	if (is_lack && submission->spare_fd >= 0) {
		close(submission->spare_fd);
		client.fd = accept4(l->fd, (struct sockaddr *)&client.from, &size,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	refuse_client(submission, &client, &l->conf, &no_descriptors);
	if (is_lack)
		open_spare_descriptor(submission);
	pause_all_listeners(submission);
}

static bool
is_transient_accept_error(int error)
{
	return error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM;
}

static void
on_client_waiting(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct submission *submission = l->submission;

	(void)what;
	metrics_work("accept");
	for (int i = 0; i < BATCH; i++) {
		struct smtpd_connection_client client;
		socklen_t size = sizeof client.from;

		client.fd = accept4(
		    fd, (struct sockaddr *)&client.from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client.fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		/* main has shut down this listener, and its message about it follows */
		if (client.fd < 0 && errno == EINVAL) {
			event_del(l->event);
			return;
		}
		if (client.fd < 0 && is_transient_accept_error(errno))
			continue;
		if (client.fd < 0) {
			refuse_without_descriptor(submission, l);
			return;
		}
		client.network = client_network_of(&client.from);
		accept_client(submission, &client, &l->conf);
	}
}

/* ---- lifetime ---- */

static void
listener_close(struct listener *l)
{
	if (l->event)
		event_free(l->event);
	if (l->fd >= 0)
		close(l->fd);
	l->event = NULL;
	l->fd = -1;
}

/* Reads the configuration of this socket when it is used first: after a reload the new
 * configuration arrives before the sockets that belong to its list. */
static void
listener_begin(struct listener *l)
{
	const struct conf *conf = l->submission->role->conf;

	if (l->index >= conf->listen.count)
		return;
	l->conf = conf->listen.item[l->index];
	l->conf.address = STR_NULL; /* valid only as long as that configuration */
	l->event =
	    event_new(l->submission->base, l->fd, EV_READ | EV_PERSIST, on_client_waiting, l);
}

static void
listener_start(struct listener *l)
{
	if (l->fd < 0)
		return;
	evutil_make_socket_nonblocking(l->fd);
	if (!l->event)
		listener_begin(l);
	if (!l->event || event_add(l->event, NULL) != 0)
		log_error("listener %u cannot be watched", l->index + 1);
}

void
listener_take(struct submission *submission, unsigned index, int fd)
{
	if (index >= SUBMISSION_LISTENERS || fd < 0) {
		log_error("listener %u was granted without a socket", index + 1);
		return;
	}
	listener_close(&submission->listeners[index]);
	submission->listeners[index] =
	    (struct listener){.submission = submission, .index = index, .fd = fd};
	if (submission->role->is_started && !submission->role->is_stopping)
		listener_start(&submission->listeners[index]);
}

void
listener_start_all(struct submission *submission)
{
	for (size_t i = 0; i < SUBMISSION_LISTENERS; i++) {
		struct listener *l = &submission->listeners[i];

		if (l->fd >= 0 && i >= submission->role->conf->listen.count)
			listener_close(l);
		else
			listener_start(l);
	}
	if (submission->spare_fd < 0)
		open_spare_descriptor(submission);
}

void
listener_close_all(struct submission *submission)
{
	for (size_t i = 0; i < SUBMISSION_LISTENERS; i++)
		listener_close(&submission->listeners[i]);
}

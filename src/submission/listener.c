/*
 * listener: accepts in batches.  Without descriptors one is kept to let a waiting client in and out
 * again, and accepting pauses: a full table must not become a busy loop.
 */
#include "submission/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/endpoint.h"
#include "submission/smtpd_connection.h"

enum { BATCH = 32, PAUSE_MS = 100, REFUSED_LOG_MS = 1000, NETWORK6_BYTES = 8 };

/* ---- who it is ---- */

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

/* ---- who is sent away ---- */

static void
log_refused_client(
    struct submission *g, const struct smtpd_connection_client *guest, const char *reason)
{
	int64_t now = clock_mono_ms();
	char ip[INET6_ADDRSTRLEN_];
	struct log_line l;
	uint16_t port;

	g->crowded++;
	if (g->crowded_ms && now - g->crowded_ms < REFUSED_LOG_MS)
		return;
	endpoint_text(&guest->from, ip, &port);
	log_begin(&l, LOG_NOTICE, "refuse");
	log_id(&l, (struct msgid){id_next(&g->role->ids), 0}, 0);
	log_str(&l, "stage", STR("connect"));
	log_str(&l, "reason", str_of(reason));
	log_num(&l, "code", 421);
	log_str(&l, "dsn", STR("4.7.0"));
	log_str(&l, "ip", str_of(ip));
	log_num(&l, "count", g->crowded);
	log_end(&l);
	g->crowded_ms = now;
	g->crowded = 0;
}

struct listener_refusal {
	const char *reason; /* for the log */
	const char *text;
};
static const struct listener_refusal too_many_connections = {
    "too_many_connections", "Too many connections"};
static const struct listener_refusal too_many_per_client = {
    "too_many_connections_per_client", "Too many connections from your address"};
static const struct listener_refusal no_certificate = {
    "no_certificate", "TLS is not available now, for there is no certificate"};

static void
refuse_client(struct submission *g, const struct smtpd_connection_client *guest,
    const struct conf_listen *listen, const struct listener_refusal *bye)
{
	log_refused_client(g, guest, bye->reason);
	if (listen->tls == LISTEN_STARTTLS) {
		struct smtp_status status = smtp_status_make(421, "4.7.0", "%s", bye->text);
		struct buf reply;

		buf_init(&reply, 512);
		smtp_status_reply(&status, &reply);
		(void)!send(guest->fd, reply.p, reply.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		buf_clear(&reply);
		shutdown(guest->fd, SHUT_WR);
	}
	close(guest->fd);
}

/* ---- who comes in ---- */

static void
accept_client(struct submission *g, const struct smtpd_connection_client *guest,
    const struct conf_listen *listen)
{
	const struct conf *conf = g->role->conf;
	unsigned per_client = (unsigned)conf->limits.sessions_per_client;

	uint64_t sessions = g->clients ? client_counts_sessions(g->clients) : g->connection_count;

	if (sessions >= (uint64_t)conf->limits.sessions) {
		refuse_client(g, guest, listen, &too_many_connections);
		return;
	}
	if (!g->tls && listen->tls == LISTEN_IMPLICIT) {
		refuse_client(g, guest, listen, &no_certificate);
		return;
	}
	if (g->clients && !client_counts_add(g->clients, guest->network, per_client)) {
		refuse_client(g, guest, listen, &too_many_per_client);
		return;
	}
	smtpd_connection_new(g, guest, listen);
}

/* ---- accepting ---- */

static void
pause_all_listeners(struct submission *g)
{
	struct timeval tv = {0, PAUSE_MS * 1000};

	for (size_t i = 0; i < SUBMISSION_LISTENERS; i++)
		if (g->listeners[i].event)
			event_del(g->listeners[i].event);
	event_add(g->accept_timer, &tv);
}

/* Of what main gave as standard input: a copy of a listening socket would keep its port open after
 * a reload has closed the listener. */
static void
open_spare_descriptor(struct submission *g)
{
	g->spare_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
}

/* Nobody else can be let in: the first in the line hears it, by the one descriptor kept for that.
 */
static void
refuse_without_descriptor(struct submission *g, const struct listener *l)
{
	struct smtpd_connection_client guest = {.fd = -1, .from = {.ss_family = AF_UNSPEC}};
	int error = errno;

	log_refused_client(g, &guest, "descriptors");
	if (g->spare_fd >= 0 && (error == EMFILE || error == ENFILE)) {
		close(g->spare_fd);
		guest.fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (guest.fd >= 0)
			close(guest.fd);
		open_spare_descriptor(g);
	}
	pause_all_listeners(g);
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
	struct submission *g = l->gate;

	(void)what;
	metrics_work("accept");
	for (int i = 0; i < BATCH; i++) {
		struct smtpd_connection_client guest;
		socklen_t size = sizeof guest.from;

		guest.fd = accept4(
		    fd, (struct sockaddr *)&guest.from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (guest.fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		/* main has ended this listener, and tells of it next */
		if (guest.fd < 0 && errno == EINVAL) {
			event_del(l->event);
			return;
		}
		if (guest.fd < 0 && is_transient_accept_error(errno))
			continue;
		if (guest.fd < 0) {
			refuse_without_descriptor(g, l);
			return;
		}
		guest.network = client_network_of(&guest.from);
		accept_client(g, &guest, &l->conf);
	}
}

/* ---- life ---- */

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

/* What the configuration says of this socket, when it is used first: after a reload the new
 * configuration is there before the sockets that belong to its list. */
static void
listener_begin(struct listener *l)
{
	const struct conf *conf = l->gate->role->conf;

	if (l->index >= conf->listen.count)
		return;
	l->conf = conf->listen.item[l->index];
	l->conf.address = STR_NULL; /* lives as long as that configuration */
	l->event = event_new(l->gate->base, l->fd, EV_READ | EV_PERSIST, on_client_waiting, l);
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
listener_take(struct submission *g, unsigned index, int fd)
{
	if (index >= SUBMISSION_LISTENERS || fd < 0) {
		log_error("listener %u was granted without a socket", index + 1);
		return;
	}
	listener_close(&g->listeners[index]);
	g->listeners[index] = (struct listener){.gate = g, .index = index, .fd = fd};
	if (g->role->is_started && !g->role->is_stopping)
		listener_start(&g->listeners[index]);
}

void
listener_start_all(struct submission *g)
{
	for (size_t i = 0; i < SUBMISSION_LISTENERS; i++) {
		struct listener *l = &g->listeners[i];

		if (l->fd >= 0 && i >= g->role->conf->listen.count)
			listener_close(l);
		else
			listener_start(l);
	}
	if (g->spare_fd < 0)
		open_spare_descriptor(g);
}

void
listener_close_all(struct submission *g)
{
	for (size_t i = 0; i < SUBMISSION_LISTENERS; i++)
		listener_close(&g->listeners[i]);
}

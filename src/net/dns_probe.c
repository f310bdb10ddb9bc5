/*
 * dns_probe: the server gets a UDP packet once a second, as a packet may be lost.  The root servers
 * are asked through a new context with an empty cache.
 */
#include "net/dns_probe.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/dns_context.h"
#include "net/endpoint.h"

enum { SEND_EVERY_MS = 1000, DNS_PORT = 53, HEADER_BYTES = 12, IS_REPLY = 0x80 };

struct dns_probe {
	struct event_base *base;
	dns_probe_fn *fn;
	void *arg;
	struct sockaddr_storage server;
	socklen_t server_len; /* 0: the root servers */
	bool is_running;
	int fd; /* -1: not open */
	unsigned sent;
	unsigned char id[2];
	struct event readable, timer, done;
	enum dns_probe_end end;
	struct dns_context *context;
	struct dns_question question;
};

static void
dns_probe_stop(struct dns_probe *p)
{
	event_del(&p->timer);
	event_del(&p->done);
	if (p->fd >= 0) {
		event_del(&p->readable);
		close(p->fd);
	}
	p->fd = -1;
	dns_question_cancel(&p->question);
	dns_context_free(&p->context);
	p->is_running = false;
}

static void
on_dns_probe_done(evutil_socket_t fd, short what, void *arg)
{
	struct dns_probe *p = arg;

	(void)fd;
	(void)what;
	dns_probe_stop(p);
	p->fn(p->end, p->arg);
}

static void
end_as(struct dns_probe *p, enum dns_probe_end end)
{
	p->end = end;
	event_active(&p->done, EV_TIMEOUT, 0);
}

static void
set_dns_probe_timer(struct dns_probe *p, int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_add(&p->timer, &tv);
}

/* ---- one server ---- */

/* The port is closed, which is known at once.  Other errors may be gone when the next packet is
 * sent. */
static void
check_probe_error(struct dns_probe *p)
{
	if (errno == ECONNREFUSED)
		end_as(p, DNS_PROBE_SILENT);
}

static void
on_dns_probe_readable(evutil_socket_t fd, short what, void *arg)
{
	struct dns_probe *p = arg;
	unsigned char reply[512];
	ssize_t n = recv(fd, reply, sizeof reply, 0);

	(void)what;
	if (n < 0)
		check_probe_error(p);
	else if (n >= HEADER_BYTES && memcmp(reply, p->id, sizeof p->id) == 0 &&
	         (reply[2] & IS_REPLY))
		end_as(p, DNS_PROBE_ANSWERED);
}

static void
send_question(struct dns_probe *p)
{
	/* recursion desired; one question: ".", SOA, IN */
	unsigned char packet[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1};

	memcpy(packet, p->id, sizeof p->id);
	p->sent++;
	set_dns_probe_timer(p, SEND_EVERY_MS);
	if (send(p->fd, packet, sizeof packet, MSG_NOSIGNAL) < 0)
		check_probe_error(p);
}

static void
begin_server(struct dns_probe *p)
{
	if (getrandom(p->id, sizeof p->id, 0) == sizeof p->id)
		p->fd = socket(p->server.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0) {
		end_as(p, DNS_PROBE_UNKNOWN);
		return;
	}
	event_assign(&p->readable, p->base, p->fd, EV_READ | EV_PERSIST, on_dns_probe_readable, p);
	event_add(&p->readable, NULL);
	/* without a route to the network the packet fails like a lost one */
	(void)!connect(p->fd, (const struct sockaddr *)&p->server, p->server_len);
	send_question(p);
}

/* ---- the root servers ---- */

static void
on_dns_probe_answer(struct dns_question *question, enum dns_validity validity, struct str packet)
{
	(void)validity;
	end_as(question->arg, packet.n ? DNS_PROBE_ANSWERED : DNS_PROBE_SILENT);
}

static void
begin_root(struct dns_probe *p)
{
	p->context = dns_context_new(&(struct dns_context_setup){.base = p->base});
	p->question =
	    (struct dns_question){.context = p->context, .fn = on_dns_probe_answer, .arg = p};
	set_dns_probe_timer(p, DNS_PROBE_MS);
	if (!p->context || dns_question_ask(&p->question, STR("."), DNS_SOA) != DNS_ASKED)
		end_as(p, DNS_PROBE_UNKNOWN);
}

/* ---- both ---- */

static void
on_dns_probe_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dns_probe *p = arg;

	(void)fd;
	(void)what;
	if (p->fd >= 0 && p->sent * SEND_EVERY_MS < DNS_PROBE_MS) {
		/* there may be a route now */
		(void)!connect(p->fd, (const struct sockaddr *)&p->server, p->server_len);
		send_question(p);
	} else {
		end_as(p, DNS_PROBE_SILENT);
	}
}

bool
dns_probe_begin(struct dns_probe *p)
{
	if (p->is_running)
		return false;
	p->is_running = true;
	p->sent = 0;
	if (p->server_len)
		begin_server(p);
	else
		begin_root(p);
	return true;
}

static void
read_server(struct dns_probe *p, struct str text)
{
	size_t at = str_find(text, '@'), percent;
	struct str address = str_upto(text, at);
	uint64_t port = DNS_PORT, link = 0;

	percent = str_find(address, '%');
	if (at < text.n)
		(void)!str_u64(str_from(text, at + 1), &port);
	if (percent < address.n)
		(void)!str_u64(str_from(address, percent + 1), &link);
	p->server_len = endpoint_parse(str_upto(address, percent), (uint16_t)port, &p->server);
	if (p->server.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&p->server)->sin6_scope_id = (uint32_t)link;
}

struct dns_probe *
dns_probe_new(const struct dns_probe_setup *setup)
{
	struct dns_probe *p = MEM_NEW(struct dns_probe);

	p->base = setup->base;
	p->fn = setup->fn;
	p->arg = setup->arg;
	p->fd = -1;
	read_server(p, setup->server);
	event_assign(&p->timer, p->base, -1, 0, on_dns_probe_timer, p);
	event_assign(&p->done, p->base, -1, 0, on_dns_probe_done, p);
	return p;
}

void
dns_probe_free(struct dns_probe **p)
{
	if (!*p)
		return;
	dns_probe_stop(*p);
	mem_free(*p);
	*p = NULL;
}

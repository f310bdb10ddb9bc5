/*
 * sink: a receiving mail host for tests.
 *
 *	sink --port N [--address A] [--name N] [--directory DIR] [--lmtp] [--greylist] [--delay MS]
 *	     [--cert FILE --key FILE [--implicit-tls]] [--account USER:PASSWORD]
 *	     [--no EXTENSION]... [--fail "PHASE[/MATCH][*TIMES]=REPLY"]...
 *
 * Prints "listening PORT" on standard output when it listens (port 0: a free port), stores message
 * N as DIR/N.env (lines helo=, tls=, mail=, and rcpt= for each recipient) and DIR/N.eml, and at
 * SIGTERM or SIGINT prints what it received: "connections=1 messages=2 recipients=3".  PHASE is one
 * of greeting ehlo helo starttls auth mail rcpt data bdat final rset noop quit; REPLY "drop" closes
 * the connection without a reply.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/sink_session.h"

struct sink_client {
	struct sink *sink;
	int fd;
};

struct sink_endpoint {
	const char *address, *cert, *key;
	uint16_t port;
};

static void *
run_sink_client(void *arg)
{
	struct sink_client g = *(struct sink_client *)arg;

	mem_free(arg);
	sink_serve(g.sink, g.fd);
	return NULL;
}

static void *
sink_accept_clients(void *arg)
{
	struct sink_client *at = arg;

	for (;;) {
		int one = 1, fd = accept4(at->fd, NULL, NULL, SOCK_CLOEXEC);
		struct sink_client *g;
		pthread_t thread;

		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		g = MEM_NEW(struct sink_client);
		*g = (struct sink_client){at->sink, fd};
		pthread_mutex_lock(&at->sink->lock);
		at->sink->connections++;
		pthread_mutex_unlock(&at->sink->lock);
		if (pthread_create(&thread, NULL, run_sink_client, g) != 0)
			die("sink: no thread");
		pthread_detach(thread);
	}
}

static int
listen_at(const char *address, uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(*port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
	bool is6 = strchr(address, ':') != NULL;
	struct sockaddr *sa = is6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
	socklen_t len = is6 ? sizeof in6 : sizeof in;
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (inet_pton(sa->sa_family, address, is6 ? (void *)&in6.sin6_addr : &in.sin_addr) != 1)
		die("sink: %s is no numeric address", address);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, sa, len) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, sa, &len) < 0)
		die("sink: cannot listen on %s port %u", address, *port);
	*port = ntohs(is6 ? in6.sin6_port : in.sin_port);
	return fd;
}

static void
disable_sink_extension(struct sink *s, const char *name)
{
	for (size_t i = 0; sink_extensions[i]; i++)
		if (strncasecmp(sink_extensions[i], name, strlen(name)) == 0) {
			s->without |= 1u << i;
			return;
		}
	die("sink: no extension %s", name);
}

/* Parses a rule, for example "rcpt/bob@*1=450 4.2.1 later". */
static void
add_rule(struct sink *s, char *text)
{
	char *reply = strchr(text, '='), *match, *times;

	if (!reply || s->rule_count == SINK_RULES_MAX)
		die("sink: --fail \"PHASE[/MATCH][*TIMES]=REPLY\"");
	*reply++ = '\0';
	times = strchr(text, '*');
	if (times)
		*times++ = '\0';
	match = strchr(text, '/');
	if (match)
		*match++ = '\0';
	s->rules[s->rule_count++] = (struct sink_rule){.phase = text,
	    .match = match ? match : "",
	    .reply = reply,
	    .left = times ? (int)strtol(times, NULL, 10) : -1};
}

static void
read_sink_option(struct sink *s, struct sink_endpoint *p, int option, char *value)
{
	switch (option) {
	case 'p':
		p->port = (uint16_t)strtoul(value, NULL, 10);
		break;
	case 'a':
		p->address = value;
		break;
	case 'c':
		p->cert = value;
		break;
	case 'k':
		p->key = value;
		break;
	case 'n':
		s->name = value;
		break;
	case 'd':
		s->directory = value;
		break;
	case 'l':
		s->lmtp = true;
		break;
	case 'g':
		s->greylist = true;
		break;
	case 'i':
		s->implicit_tls = true;
		break;
	case 'u':
		s->account = strchr(value, ':') ? value : NULL;
		break;
	case 'w':
		s->delay_ms = strtol(value, NULL, 10);
		break;
	case 'x':
		disable_sink_extension(s, value);
		break;
	case 'f':
		add_rule(s, value);
		break;
	default:
		die("sink: see the head of sink.c for the options");
	}
}

static void
load_tls(struct sink *s, const struct sink_endpoint *p)
{
	if (!p->cert)
		return;
	if (gnutls_certificate_allocate_credentials(&s->tls) < 0 ||
	    gnutls_certificate_set_x509_key_file(
	        s->tls, p->cert, p->key ? p->key : p->cert, GNUTLS_X509_FMT_PEM) < 0)
		die("sink: cannot use %s", p->cert);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"port", 1, 0, 'p'}, {"address", 1, 0, 'a'},
	    {"cert", 1, 0, 'c'}, {"key", 1, 0, 'k'}, {"name", 1, 0, 'n'}, {"directory", 1, 0, 'd'},
	    {"lmtp", 0, 0, 'l'}, {"greylist", 0, 0, 'g'}, {"implicit-tls", 0, 0, 'i'},
	    {"account", 1, 0, 'u'}, {"delay", 1, 0, 'w'}, {"no", 1, 0, 'x'}, {"fail", 1, 0, 'f'},
	    {0, 0, 0, 0}};
	struct sink s = {.name = "sink.test", .lock = PTHREAD_MUTEX_INITIALIZER, .seen = map_new()};
	struct sink_endpoint endpoint = {.address = "127.0.0.1"};
	struct sink_client listener = {.sink = &s};
	pthread_t thread;
	sigset_t signals;
	int option, got;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		read_sink_option(&s, &endpoint, option, optarg);
	load_tls(&s, &endpoint);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	listener.fd = listen_at(endpoint.address, &endpoint.port);
	printf("listening %u\n", endpoint.port);
	fflush(stdout);
	if (pthread_create(&thread, NULL, sink_accept_clients, &listener) != 0)
		die("sink: no thread");
	sigwait(&signals, &got);
	pthread_mutex_lock(&s.lock);
	printf("connections=%lu messages=%lu recipients=%lu\n", s.connections, s.messages,
	    s.recipients);
	fflush(stdout);
	_exit(0);
}

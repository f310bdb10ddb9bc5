/*
 * listen_socket: an empty address stands for all addresses of both families: one IPv6 socket that
 * accepts IPv4 too, or only IPv4 if the host has no IPv6.
 */
#include "main/listen_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

struct listen_socket_address {
	struct sockaddr_storage sa;
	socklen_t len;
};

static bool
listen_socket_address_v4(struct str address, uint16_t port, struct listen_socket_address *out)
{
	struct sockaddr_in *a = (struct sockaddr_in *)&out->sa;
	char text[INET6_ADDRSTRLEN];

	*out = (struct listen_socket_address){.len = sizeof *a};
	snprintf(text, sizeof text, "%.*s", STR_ARG(address.n ? address : STR("0.0.0.0")));
	a->sin_family = AF_INET;
	a->sin_port = htons(port);
	return inet_pton(AF_INET, text, &a->sin_addr) == 1;
}

static bool
listen_socket_address_v6(struct str address, uint16_t port, struct listen_socket_address *out)
{
	struct sockaddr_in6 *a = (struct sockaddr_in6 *)&out->sa;
	char text[INET6_ADDRSTRLEN];

	*out = (struct listen_socket_address){.len = sizeof *a};
	snprintf(text, sizeof text, "%.*s", STR_ARG(address.n ? address : STR("::")));
	a->sin6_family = AF_INET6;
	a->sin6_port = htons(port);
	return inet_pton(AF_INET6, text, &a->sin6_addr) == 1;
}

static bool
listen_socket_address_of(const struct conf_listen *l, struct listen_socket_address *out)
{
	return listen_socket_address_v6(l->address, (uint16_t)l->port, out) ||
	    listen_socket_address_v4(l->address, (uint16_t)l->port, out);
}

/* The kernel compares SO_REUSEPORT of both sockets at bind(2).  So a socket without it is refused
 * when any other socket has the port; when the option is set afterwards, later sockets can share
 * the port. */
static int
listen_socket_open_at(const struct listen_socket_address *at, bool takes_both, bool joins)
{
	int fd = socket(at->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, off = 0, saved_errno;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, joins ? &on : &off, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
	if (at->sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, takes_both ? &off : &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)&at->sa, at->len) == 0 && listen(fd, BACKLOG) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0)
		return fd;
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

int
listen_socket_open(const struct conf_listen *l, bool joins)
{
	struct listen_socket_address at;
	int fd = -1;

	errno = EINVAL;
	if (listen_socket_address_v6(l->address, (uint16_t)l->port, &at))
		fd = listen_socket_open_at(&at, l->address.n == 0, joins);
	if (fd < 0 && listen_socket_address_v4(l->address, (uint16_t)l->port, &at) &&
	    (l->address.n || errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = listen_socket_open_at(&at, false, joins);
	return fd;
}

/* 0, or errno.  Nothing listens. */
static int
listen_socket_bind(const struct conf_listen *l)
{
	struct listen_socket_address at;
	int fd, error;

	if (!listen_socket_address_of(l, &at))
		return EINVAL;
	fd = socket(at.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	error = bind(fd, (const struct sockaddr *)&at.sa, at.len) == 0 ? 0 : errno;
	close(fd);
	return error;
}

int
listen_socket_probe(struct str address)
{
	return listen_socket_bind(&(struct conf_listen){.address = address});
}

bool
listen_socket_is_forbidden(const struct conf_listen *l)
{
	return listen_socket_bind(l) == EACCES;
}

static bool
listen_socket_is_wildcard(const struct listen_socket_address *p)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&p->sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&p->sa;

	return p->sa.ss_family == AF_INET ? v4->sin_addr.s_addr == htonl(INADDR_ANY)
	                                  : IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

bool
listen_socket_is_same(const struct conf_listen *a, const struct conf_listen *b)
{
	struct listen_socket_address of_a, of_b;

	if (a->port != b->port || (a->address.n == 0) != (b->address.n == 0))
		return false;
	return a->address.n == 0 ||
	       (listen_socket_address_of(a, &of_a) && listen_socket_address_of(b, &of_b) &&
	           of_a.len == of_b.len && memcmp(&of_a.sa, &of_b.sa, of_a.len) == 0);
}

bool
listen_socket_overlaps(const struct conf_listen *a, const struct conf_listen *b)
{
	struct listen_socket_address of_a, of_b;

	if (a->port != b->port)
		return false;
	if (a->address.n == 0 || b->address.n == 0)
		return true;
	if (!listen_socket_address_of(a, &of_a) || !listen_socket_address_of(b, &of_b) ||
	    of_a.sa.ss_family != of_b.sa.ss_family)
		return false;
	return listen_socket_is_wildcard(&of_a) || listen_socket_is_wildcard(&of_b) ||
	    memcmp(&of_a.sa, &of_b.sa, of_a.len) == 0;
}

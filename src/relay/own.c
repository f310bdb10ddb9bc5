/*
 * own: an address is ours if a socket can be bound to it.  That needs no list of interfaces, which
 * would be old when one changes and which the sandbox forbids to ask for.  Where the kernel lets
 * programs bind any address (ip_nonlocal_bind, as beside keepalived), the address that it would
 * speak from tells: to ourselves we speak from the same one (to a second address of an IPv4 network
 * from its first, which is not seen then; the greeting still tells).
 */
#include "relay/own.h"

#include <netinet/in.h>
#include <unistd.h>

/* Nobody's, by RFC 5737 and RFC 3849. */
static const struct sockaddr_in nobodys4 = {
    .sin_family = AF_INET, .sin_addr.s_addr = __builtin_bswap32(0xc0000201)};
static const struct sockaddr_in6 nobodys6 = {.sin6_family = AF_INET6,
    .sin6_addr.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};

struct own_address {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static struct own_address
own_copy(const struct sockaddr *sa, in_port_t port)
{
	struct own_address a = {.len = 0};

	if (sa->sa_family == AF_INET) {
		a.v4 = *(const struct sockaddr_in *)sa;
		a.v4.sin_port = port;
		a.len = sizeof a.v4;
	} else if (sa->sa_family == AF_INET6) {
		a.v6 = *(const struct sockaddr_in6 *)sa;
		a.v6.sin6_port = port;
		a.len = sizeof a.v6;
	}
	return a;
}

static bool
own_can_bind(const struct sockaddr *sa)
{
	struct own_address a = own_copy(sa, 0);
	int fd = a.len ? socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	bool ok = fd >= 0 && bind(fd, &a.sa, a.len) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Nothing is sent: connecting a datagram socket only asks the routing table. */
static bool
own_is_reached_from_itself(const struct sockaddr *sa)
{
	struct own_address to = own_copy(sa, htons(25)), from = {.len = sizeof from};
	int fd = to.len ? socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	bool ok = fd >= 0 && connect(fd, &to.sa, to.len) == 0 &&
	          getsockname(fd, &from.sa, &from.len) == 0;

	if (fd >= 0)
		close(fd);
	if (ok && sa->sa_family == AF_INET)
		return to.v4.sin_addr.s_addr == from.v4.sin_addr.s_addr;
	return ok && memcmp(&to.v6.sin6_addr, &from.v6.sin6_addr, sizeof to.v6.sin6_addr) == 0;
}

bool
own_has(const struct sockaddr *sa)
{
	const struct sockaddr *nobodys = sa->sa_family == AF_INET
	                                     ? (const struct sockaddr *)&nobodys4
	                                     : (const struct sockaddr *)&nobodys6;

	if (!own_can_bind(sa))
		return false;
	return !own_can_bind(nobodys) || own_is_reached_from_itself(sa);
}

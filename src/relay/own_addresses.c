/*
 * own_addresses: an address belongs to this machine if a socket can be bound to it.  This needs no
 * list of interfaces, which would be outdated after a change, and which the sandbox does not allow
 * to read.  If the kernel allows to bind any address (ip_nonlocal_bind, as with keepalived), the
 * source address that the kernel selects decides: for a connection to this machine itself it
 * is the same address.  (For the second address of an IPv4 network it is the first one of that
 * network, so the second is not recognised then; the greeting still shows the loop.)
 */
#include "relay/own_addresses.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

/* No machine has these addresses, by RFC 5737 and RFC 3849. */
static const struct sockaddr_in documentation4 = {
    .sin_family = AF_INET, .sin_addr.s_addr = __builtin_bswap32(0xc0000201)};
static const struct sockaddr_in6 documentation6 = {.sin6_family = AF_INET6,
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
own_address_copy(const struct sockaddr *sa, in_port_t port)
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

/* The kernel does not have this address, or no address of this family.  Any other error gives no
 * information. */
static enum own_address_answer
own_address_failed(int error)
{
	return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == ENETUNREACH ||
	               error == EHOSTUNREACH
	           ? OWN_ADDRESS_NO
	           : OWN_ADDRESS_UNKNOWN;
}

static enum own_address_answer
own_address_close(int fd, bool ok)
{
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return ok ? OWN_ADDRESS_YES : own_address_failed(error);
}

static enum own_address_answer
own_address_can_bind(const struct sockaddr *sa)
{
	struct own_address a = own_address_copy(sa, 0);
	int fd = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return own_address_close(fd, fd >= 0 && bind(fd, &a.sa, a.len) == 0);
}

/* Nothing is sent: connect() of a datagram socket only looks at the routing table. */
static enum own_address_answer
own_address_is_own_source(const struct sockaddr *sa)
{
	struct own_address to = own_address_copy(sa, htons(25)), from = {.len = sizeof from};
	int fd = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_same, ok = fd >= 0 && connect(fd, &to.sa, to.len) == 0 &&
	                   getsockname(fd, &from.sa, &from.len) == 0;
	enum own_address_answer answer = own_address_close(fd, ok);

	if (answer != OWN_ADDRESS_YES)
		return answer;
	if (sa->sa_family == AF_INET)
		is_same = to.v4.sin_addr.s_addr == from.v4.sin_addr.s_addr;
	else
		is_same = memcmp(&to.v6.sin6_addr, &from.v6.sin6_addr,
			      sizeof to.v6.sin6_addr) == 0;
	return is_same ? OWN_ADDRESS_YES : OWN_ADDRESS_NO;
}

enum own_address_answer
own_address_check(const struct sockaddr *sa)
{
	const struct sockaddr *documentation = sa->sa_family == AF_INET
	                                     ? (const struct sockaddr *)&documentation4
	                                     : (const struct sockaddr *)&documentation6;
	enum own_address_answer answer;

	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
		return OWN_ADDRESS_NO;
	answer = own_address_can_bind(sa);
	if (answer != OWN_ADDRESS_YES)
		return answer;
	switch (own_address_can_bind(documentation)) {
	case OWN_ADDRESS_NO:
		return OWN_ADDRESS_YES;
	case OWN_ADDRESS_YES:
		return own_address_is_own_source(sa);
	default:
		return OWN_ADDRESS_UNKNOWN;
	}
}

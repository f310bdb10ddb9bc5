/*
 * endpoint: an IPv4 address that a socket for both families shows as IPv6 is written as IPv4;
 * another family gives an empty text and port 0. Only numeric addresses without an interface are
 * read, and no name is looked up.
 */
#include "net/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

void
endpoint_text(
    const struct sockaddr_storage *a, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

	*address_out = '\0';
	*port_out = 0;
	if (a->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, address_out, INET6_ADDRSTRLEN_);
		*port_out = ntohs(v4->sin_port);
	} else if (a->ss_family == AF_INET6) {
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
			inet_ntop(
			    AF_INET, &v6->sin6_addr.s6_addr[12], address_out, INET6_ADDRSTRLEN_);
		else
			inet_ntop(AF_INET6, &v6->sin6_addr, address_out, INET6_ADDRSTRLEN_);
		*port_out = ntohs(v6->sin6_port);
	}
}

socklen_t
endpoint_parse(struct str text, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	char z[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof z || str_has(text, '\0'))
		return 0;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, z, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof *v4;
	}
	if (inet_pton(AF_INET6, z, &v6->sin6_addr) != 1)
		return 0;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof *v6;
}

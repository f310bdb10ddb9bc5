/*
 * endpoint: see the header.
 */
#include "net/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>

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

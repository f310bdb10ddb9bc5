/*
 * endpoint: socket addresses as text.
 */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

enum { INET6_ADDRSTRLEN_ = 46 };

/* "203.0.113.7", "2001:db8::1"; IPv4 mapped into IPv6 is shown as IPv4; "" and port 0 for anything
 * else. */
void endpoint_text(
    const struct sockaddr_storage *a, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out);

/* "203.0.113.7", "2001:db8::1" with that port; the length of the address for the system, 0: the
 * text is neither. */
socklen_t endpoint_parse(struct str text, uint16_t port, struct sockaddr_storage *out);

#endif

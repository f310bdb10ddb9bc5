/*
 * endpoint: socket addresses as text.
 */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

enum { INET6_ADDRSTRLEN_ = 46 };

/* The text of an address: "203.0.113.7", "2001:db8::1"; IPv4 mapped into IPv6 is shown as IPv4; ""
 * and port 0 for any other family. */
void endpoint_text(
    const struct sockaddr_storage *a, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out);

/* Parses "203.0.113.7" or "2001:db8::1" and adds the port; returns the length for the system, 0:
 * the text is neither. */
socklen_t endpoint_parse(struct str text, uint16_t port, struct sockaddr_storage *out);

#endif

/*
 * range: which addresses a host of the Internet may have (RFC 6890): a stranger's MX must not make
 * us talk to ourselves or to our own network.
 */
#ifndef RELAY_RANGE_H
#define RELAY_RANGE_H

#include <sys/socket.h>

#include "base/str.h"

/* False for loopback, private, link-local, shared, unspecified, multicast and reserved
 * ranges, and for the IPv6 forms that wrap such an IPv4 address. */
bool range_is_public(const struct sockaddr *sa);

#endif

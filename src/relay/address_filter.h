/*
 * address_filter: decides whether an address belongs to the public Internet (RFC 6890, IANA's
 * special-purpose registries).  The MX records of a foreign domain must not make relay connect to
 * this machine or to the local network.
 */
#ifndef RELAY_ADDRESS_FILTER_H
#define RELAY_ADDRESS_FILTER_H

#include <sys/socket.h>

#include "base/str.h"

/* True for a public IPv4 or IPv6 address.  For an IPv6 address that contains an IPv4 address, the
 * IPv4 address decides.  False for other families. */
bool address_filter_is_public(const struct sockaddr *sa);

#endif

/*
 * address_filter: which addresses a host of the Internet may have (RFC 6890, IANA's special-purpose
 * registries): a stranger's MX must not make us talk to ourselves or to our own network.
 */
#ifndef RELAY_ADDRESS_FILTER_H
#define RELAY_ADDRESS_FILTER_H

#include <sys/socket.h>

#include "base/str.h"

/* Of an address that wraps an IPv4 address: whether that one is. */
bool address_filter_is_public(const struct sockaddr *sa);

#endif

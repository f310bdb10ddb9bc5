/*
 * network: networks in CIDR notation (RFC 4632, RFC 4291 section 2.3): "192.0.2.0/24",
 * "2001:db8::/32".  A single address is a network of one address.  An IPv4-mapped IPv6 address is
 * treated as the IPv4 address.
 */
#ifndef CONF_NETWORK_H
#define CONF_NETWORK_H

#include "base/buf.h"

enum { NETWORK_BYTES_MAX = 16, NETWORK_TEXT_BYTES = 64 };

struct network {
	uint8_t bytes[NETWORK_BYTES_MAX]; /* network byte order; zero after the prefix */
	uint8_t size;                     /* of an address: 4 or 16 */
	uint8_t bits;                     /* of the prefix */
};

/* False: neither an address nor a network, or bits are set after the prefix. */
bool network_parse(struct str text, struct network *out) MUST_USE;
/* Is all of `inner` in it? */
bool network_has(const struct network *n, const struct network *inner);
/* Are both the same network? */
bool network_same(const struct network *a, const struct network *b);
/* The text always has a prefix length; returns out. */
char *network_text(const struct network *n, char out[NETWORK_TEXT_BYTES]);

#endif

/*
 * network: an address gets one form when it is read, and octets behind it are 0; a text with bits
 * set behind the prefix is refused. So two texts of one network give the same struct. IPv4 and IPv6
 * never contain each other. It has no state, and looks no name up.
 */
#include "conf/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { IPV4_BYTES = 4, IPV6_BYTES = 16, MAPPED_BYTES = 12 };

static bool
network_address(struct str text, struct network *out)
{
	static const uint8_t mapped[MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};
	char zero_ended[INET6_ADDRSTRLEN];

	*out = (struct network){0};
	if (text.n == 0 || text.n >= sizeof zero_ended || str_has(text, 0))
		return false;
	memcpy(zero_ended, text.p, text.n);
	zero_ended[text.n] = '\0';
	if (inet_pton(AF_INET, zero_ended, out->bytes) == 1) {
		out->size = IPV4_BYTES;
	} else if (inet_pton(AF_INET6, zero_ended, out->bytes) == 1) {
		out->size = IPV6_BYTES;
		if (memcmp(out->bytes, mapped, sizeof mapped) == 0) {
			memmove(out->bytes, out->bytes + MAPPED_BYTES, IPV4_BYTES);
			memset(out->bytes + IPV4_BYTES, 0, MAPPED_BYTES);
			out->size = IPV4_BYTES;
		}
	}
	out->bits = (uint8_t)(8 * out->size);
	return out->size > 0;
}

/* Are the first `bits` bits equal? */
static bool
network_agrees(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) & (uint8_t)(0xff00u >> rest)) == 0;
}

static bool
network_is_zero_behind(const struct network *n)
{
	for (unsigned bit = n->bits; bit < 8u * n->size; bit++)
		if (n->bytes[bit / 8] & (0x80u >> bit % 8))
			return false;
	return true;
}

bool
network_parse(struct str text, struct network *out)
{
	size_t slash = str_find(text, '/');
	uint64_t bits;

	if (!network_address(str_upto(text, slash), out))
		return false;
	if (slash == text.n)
		return true;
	if (!str_u64(str_from(text, slash + 1), &bits) || bits > out->bits)
		return false;
	out->bits = (uint8_t)bits;
	return network_is_zero_behind(out);
}

bool
network_has(const struct network *n, const struct network *inner)
{
	return n->size == inner->size && n->bits <= inner->bits &&
	       network_agrees(n->bytes, inner->bytes, n->bits);
}

bool
network_same(const struct network *a, const struct network *b)
{
	return a->bits == b->bits && network_has(a, b);
}

char *
network_text(const struct network *n, char out[NETWORK_TEXT_BYTES])
{
	char address[INET6_ADDRSTRLEN] = "";

	(void)!inet_ntop(n->size == IPV4_BYTES ? AF_INET : AF_INET6, n->bytes, address,
	    sizeof address);
	snprintf(out, NETWORK_TEXT_BYTES, "%s/%u", address, n->bits);
	return out;
}

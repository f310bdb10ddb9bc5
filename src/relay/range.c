/*
 * range: tables of prefixes.  2001:db8::/32 and the like (documentation) are let through: nothing
 * answers there.
 */
#include "relay/range.h"

#include <netinet/in.h>

struct prefix4 {
	uint32_t bits;
	unsigned length;
};

struct prefix6 {
	uint8_t bits[4];
	unsigned length; /* at most 32 */
};

static const struct prefix4 inner4[] = {
    {0x00000000, 8},  /* "this network"; 0.0.0.0 reaches ourselves on Linux */
    {0x0a000000, 8},  /* 10/8 */
    {0x64400000, 10}, /* 100.64/10, shared by carriers */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, with the metadata services of clouds */
    {0xac100000, 12}, /* 172.16/12 */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0a80000, 16}, /* 192.168/16 */
    {0xc6120000, 15}, /* benchmarking */
    {0xe0000000, 4},  /* multicast */
    {0xf0000000, 4},  /* reserved, and broadcast */
};

static const struct prefix6 inner6[] = {
    {{0xfc, 0}, 7},           /* unique local */
    {{0xfe, 0x80}, 10},       /* link-local */
    {{0xfe, 0xc0}, 10},       /* site-local, as it once was */
    {{0xff, 0}, 8},           /* multicast */
    {{0x01, 0x00, 0, 0}, 32}, /* discard-only */
    {{0x20, 0x01, 0, 0}, 32}, /* Teredo: an IPv4 address in disguise */
};

static bool
is_public4(uint32_t host_order)
{
	for (size_t i = 0; i < sizeof inner4 / sizeof *inner4; i++)
		if ((host_order ^ inner4[i].bits) >> (32 - inner4[i].length) == 0)
			return false;
	return true;
}

static uint32_t
word_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ::/96 (:: and ::1 among it), ::ffff/96, 64:ff9b::/96 and 2002::/16 hold an IPv4 address. */
static bool
holds_ipv4(const uint8_t p[16], uint32_t *out)
{
	static const uint8_t zero[12], mapped[12] = {[10] = 0xff, [11] = 0xff},
	                               nat64[12] = {0, 0x64, 0xff, 0x9b};

	if (memcmp(p, zero, 12) == 0 || memcmp(p, mapped, 12) == 0 || memcmp(p, nat64, 12) == 0) {
		*out = word_at(p + 12);
		return true;
	}
	*out = word_at(p + 2);
	return p[0] == 0x20 && p[1] == 0x02;
}

static bool
is_public6(const uint8_t p[16])
{
	uint32_t v4;

	if (holds_ipv4(p, &v4))
		return is_public4(v4);
	for (size_t i = 0; i < sizeof inner6 / sizeof *inner6; i++)
		if ((word_at(p) ^ word_at(inner6[i].bits)) >> (32 - inner6[i].length) == 0)
			return false;
	return true;
}

bool
range_is_public(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return is_public4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
	if (sa->sa_family == AF_INET6)
		return is_public6(((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr);
	return false;
}

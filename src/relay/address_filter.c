/*
 * address_filter: one row per block of IANA's special-purpose registries (IPv4, IPv6), with
 * multicast and what once was special; "globally reachable" there is public here.  The first row
 * that holds an address decides: a part stands before the whole.
 */
#include "relay/address_filter.h"

#include <netinet/in.h>

enum range_kind {
	RANGE_INSIDE, /* not of the public Internet */
	RANGE_PUBLIC,
	RANGE_WRAPS_12, /* holds an IPv4 address, from octet 12 on: that one decides */
	RANGE_WRAPS_2,  /* from octet 2 on */
};

struct range {
	uint8_t bits[16];
	unsigned length;
	enum range_kind kind;
};

static const struct range ranges4[] = {
    {{0}, 8, RANGE_INSIDE},                     /* "this network", RFC 791 */
    {{10}, 8, RANGE_INSIDE},                    /* private use, RFC 1918 */
    {{100, 64}, 10, RANGE_INSIDE},              /* shared by carriers, RFC 6598 */
    {{127}, 8, RANGE_INSIDE},                   /* loopback, RFC 1122 */
    {{169, 254}, 16, RANGE_INSIDE},             /* link-local, RFC 3927; metadata of clouds */
    {{172, 16}, 12, RANGE_INSIDE},              /* private use, RFC 1918 */
    {{192, 0, 0, 9}, 32, RANGE_PUBLIC},         /* port control anycast, RFC 7723 */
    {{192, 0, 0, 10}, 32, RANGE_PUBLIC},        /* TURN anycast, RFC 8155 */
    {{192, 0, 0}, 24, RANGE_INSIDE},            /* protocol assignments, RFC 6890 */
    {{192, 0, 2}, 24, RANGE_INSIDE},            /* documentation, RFC 5737 */
    {{192, 31, 196}, 24, RANGE_PUBLIC},         /* AS112, RFC 7535 */
    {{192, 52, 193}, 24, RANGE_PUBLIC},         /* AMT, RFC 7450 */
    {{192, 88, 99}, 24, RANGE_INSIDE},          /* relays of 6to4, ended by RFC 7526 */
    {{192, 168}, 16, RANGE_INSIDE},             /* private use, RFC 1918 */
    {{192, 175, 48}, 24, RANGE_PUBLIC},         /* AS112, RFC 7534 */
    {{198, 18}, 15, RANGE_INSIDE},              /* benchmarking, RFC 2544 */
    {{198, 51, 100}, 24, RANGE_INSIDE},         /* documentation, RFC 5737 */
    {{203, 0, 113}, 24, RANGE_INSIDE},          /* documentation, RFC 5737 */
    {{224}, 4, RANGE_INSIDE},                   /* multicast, RFC 5771 */
    {{240}, 4, RANGE_INSIDE},                   /* reserved, RFC 1112; broadcast, RFC 919 */
};

static const struct range ranges6[] = {
    /* ::ffff:0:0/96, mapped, RFC 4291 section 2.5.5.2 */
    {{[10] = 0xff, [11] = 0xff}, 96, RANGE_WRAPS_12},
    /* ::ffff:0:0:0/96, translated, RFC 2765 */
    {{[8] = 0xff, [9] = 0xff}, 96, RANGE_INSIDE},
    /* ::/96: unspecified, loopback, IPv4-compatible, RFC 4291 section 2.5 */
    {{0}, 96, RANGE_INSIDE},
    {{0, 0x64, 0xff, 0x9b}, 96, RANGE_WRAPS_12},         /* translated, RFC 6052 */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, RANGE_INSIDE},     /* translated locally, RFC 8215 */
    {{0x01}, 64, RANGE_INSIDE},                          /* discard-only, RFC 6666 */
    {{0x01, 0, [7] = 1}, 64, RANGE_INSIDE},              /* dummy prefix, RFC 9780 */
    {{0x20, 0x01, 0, 0}, 32, RANGE_INSIDE},              /* Teredo, RFC 4380 */
    {{0x20, 0x01, 0, 1, [15] = 1}, 128, RANGE_PUBLIC},   /* port control anycast, RFC 7723 */
    {{0x20, 0x01, 0, 1, [15] = 2}, 128, RANGE_PUBLIC},   /* TURN anycast, RFC 8155 */
    {{0x20, 0x01, 0, 1, [15] = 3}, 128, RANGE_PUBLIC},   /* DNS-SD anycast, RFC 9665 */
    {{0x20, 0x01, 0, 3}, 32, RANGE_PUBLIC},              /* AMT, RFC 7450 */
    {{0x20, 0x01, 0, 4, 1, 0x12}, 48, RANGE_PUBLIC},     /* AS112, RFC 7535 */
    {{0x20, 0x01, 0, 0x20}, 28, RANGE_PUBLIC},           /* ORCHIDv2, RFC 7343 */
    {{0x20, 0x01, 0, 0x30}, 28, RANGE_PUBLIC},           /* drone ids, RFC 9374 */
    {{0x20, 0x01}, 23, RANGE_INSIDE},                    /* protocol assignments, RFC 2928 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, RANGE_INSIDE},        /* documentation, RFC 3849 */
    {{0x20, 0x02}, 16, RANGE_WRAPS_2},                   /* 6to4, RFC 3056 */
    {{0x26, 0x20, 0, 0x4f, 0x80}, 48, RANGE_PUBLIC},     /* AS112, RFC 7534 */
    {{0x3f, 0xff}, 20, RANGE_INSIDE},                    /* documentation, RFC 9637 */
    {{0x5f}, 16, RANGE_INSIDE},                          /* segment routing, RFC 9602 */
    {{0xfc}, 7, RANGE_INSIDE},                           /* unique local, RFC 4193 */
    {{0xfe, 0x80}, 10, RANGE_INSIDE},                    /* link-local, RFC 4291 */
    {{0xfe, 0xc0}, 10, RANGE_INSIDE},                    /* site-local, ended by RFC 3879 */
    {{0xff}, 8, RANGE_INSIDE},                           /* multicast, RFC 4291 */
};

static bool
range_holds(const struct range *r, const uint8_t *address)
{
	size_t whole = r->length / 8;
	unsigned rest = r->length % 8;

	return memcmp(r->bits, address, whole) == 0 &&
	       (rest == 0 || (r->bits[whole] ^ address[whole]) >> (8 - rest) == 0);
}

static enum range_kind
range_find(const struct range *ranges, size_t count, const uint8_t *address)
{
	for (size_t i = 0; i < count; i++)
		if (range_holds(&ranges[i], address))
			return ranges[i].kind;
	return RANGE_PUBLIC;
}

static bool
range_is_public4(const uint8_t *address)
{
	return range_find(ranges4, sizeof ranges4 / sizeof *ranges4, address) == RANGE_PUBLIC;
}

static bool
range_is_public6(const uint8_t *address)
{
	switch (range_find(ranges6, sizeof ranges6 / sizeof *ranges6, address)) {
	case RANGE_WRAPS_12:
		return range_is_public4(address + 12);
	case RANGE_WRAPS_2:
		return range_is_public4(address + 2);
	case RANGE_PUBLIC:
		return true;
	case RANGE_INSIDE:
		return false;
	}
	return false;
}

bool
range_is_public(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;

		return range_is_public4((const uint8_t *)&v4->sin_addr);
	}
	if (sa->sa_family == AF_INET6)
		return range_is_public6(((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr);
	return false;
}

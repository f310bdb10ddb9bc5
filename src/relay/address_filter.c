/*
 * address_filter: tables with one row for each block of IANA's special-purpose registries (IPv4 and
 * IPv6), for multicast, and for blocks that were special in the past.  An address that the
 * registries call "globally reachable" is public.  The first row that contains an address decides,
 * so a smaller block stands before the larger block that contains it.
 */
#include "relay/address_filter.h"

#include <netinet/in.h>

enum address_filter_kind {
	ADDRESS_FILTER_NOT_PUBLIC, /* not of the public Internet */
	ADDRESS_FILTER_PUBLIC,
	ADDRESS_FILTER_IPV4_AT_12, /* the IPv4 address from octet 12 on decides */
	ADDRESS_FILTER_IPV4_AT_2,  /* the IPv4 address from octet 2 on decides */
};

struct address_filter_range {
	uint8_t bits[16];
	unsigned length;
	enum address_filter_kind kind;
};

static const struct address_filter_range ranges4[] = {
    {{0}, 8, ADDRESS_FILTER_NOT_PUBLIC},             /* "this network", RFC 791 */
    {{10}, 8, ADDRESS_FILTER_NOT_PUBLIC},            /* private use, RFC 1918 */
    {{100, 64}, 10, ADDRESS_FILTER_NOT_PUBLIC},      /* shared by carriers, RFC 6598 */
    {{127}, 8, ADDRESS_FILTER_NOT_PUBLIC},           /* loopback, RFC 1122 */
    {{169, 254}, 16, ADDRESS_FILTER_NOT_PUBLIC},     /* link-local, RFC 3927; metadata of clouds */
    {{172, 16}, 12, ADDRESS_FILTER_NOT_PUBLIC},      /* private use, RFC 1918 */
    {{192, 0, 0, 9}, 32, ADDRESS_FILTER_PUBLIC},     /* port control anycast, RFC 7723 */
    {{192, 0, 0, 10}, 32, ADDRESS_FILTER_PUBLIC},    /* TURN anycast, RFC 8155 */
    {{192, 0, 0}, 24, ADDRESS_FILTER_NOT_PUBLIC},    /* protocol assignments, RFC 6890 */
    {{192, 0, 2}, 24, ADDRESS_FILTER_NOT_PUBLIC},    /* documentation, RFC 5737 */
    {{192, 31, 196}, 24, ADDRESS_FILTER_PUBLIC},     /* AS112, RFC 7535 */
    {{192, 52, 193}, 24, ADDRESS_FILTER_PUBLIC},     /* AMT, RFC 7450 */
    {{192, 88, 99}, 24, ADDRESS_FILTER_NOT_PUBLIC},  /* relays of 6to4, ended by RFC 7526 */
    {{192, 168}, 16, ADDRESS_FILTER_NOT_PUBLIC},     /* private use, RFC 1918 */
    {{192, 175, 48}, 24, ADDRESS_FILTER_PUBLIC},     /* AS112, RFC 7534 */
    {{198, 18}, 15, ADDRESS_FILTER_NOT_PUBLIC},      /* benchmarking, RFC 2544 */
    {{198, 51, 100}, 24, ADDRESS_FILTER_NOT_PUBLIC}, /* documentation, RFC 5737 */
    {{203, 0, 113}, 24, ADDRESS_FILTER_NOT_PUBLIC},  /* documentation, RFC 5737 */
    {{224}, 4, ADDRESS_FILTER_NOT_PUBLIC},           /* multicast, RFC 5771 */
    {{240}, 4, ADDRESS_FILTER_NOT_PUBLIC},           /* reserved, RFC 1112; broadcast, RFC 919 */
};

static const struct address_filter_range ranges6[] = {
    /* ::ffff:0:0/96, mapped, RFC 4291 section 2.5.5.2 */
    {{[10] = 0xff, [11] = 0xff}, 96, ADDRESS_FILTER_IPV4_AT_12},
    /* ::ffff:0:0:0/96, translated, RFC 2765 */
    {{[8] = 0xff, [9] = 0xff}, 96, ADDRESS_FILTER_NOT_PUBLIC},
    /* ::/96: unspecified, loopback, IPv4-compatible, RFC 4291 section 2.5 */
    {{0}, 96, ADDRESS_FILTER_NOT_PUBLIC},
    {{0, 0x64, 0xff, 0x9b}, 96, ADDRESS_FILTER_IPV4_AT_12},       /* translated, RFC 6052 */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, ADDRESS_FILTER_NOT_PUBLIC}, /* translated locally, RFC 8215 */
    {{0x01}, 64, ADDRESS_FILTER_NOT_PUBLIC},                      /* discard-only, RFC 6666 */
    {{0x01, 0, [7] = 1}, 64, ADDRESS_FILTER_NOT_PUBLIC},          /* dummy prefix, RFC 9780 */
    {{0x20, 0x01, 0, 0}, 32, ADDRESS_FILTER_NOT_PUBLIC},          /* Teredo, RFC 4380 */
    {{0x20, 0x01, 0, 1, [15] = 1}, 128, ADDRESS_FILTER_PUBLIC}, /* port control anycast, RFC 7723 */
    {{0x20, 0x01, 0, 1, [15] = 2}, 128, ADDRESS_FILTER_PUBLIC}, /* TURN anycast, RFC 8155 */
    {{0x20, 0x01, 0, 1, [15] = 3}, 128, ADDRESS_FILTER_PUBLIC}, /* DNS-SD anycast, RFC 9665 */
    {{0x20, 0x01, 0, 3}, 32, ADDRESS_FILTER_PUBLIC},            /* AMT, RFC 7450 */
    {{0x20, 0x01, 0, 4, 1, 0x12}, 48, ADDRESS_FILTER_PUBLIC},   /* AS112, RFC 7535 */
    {{0x20, 0x01, 0, 0x20}, 28, ADDRESS_FILTER_PUBLIC},         /* ORCHIDv2, RFC 7343 */
    {{0x20, 0x01, 0, 0x30}, 28, ADDRESS_FILTER_PUBLIC},         /* drone ids, RFC 9374 */
    {{0x20, 0x01}, 23, ADDRESS_FILTER_NOT_PUBLIC},              /* protocol assignments, RFC 2928 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, ADDRESS_FILTER_NOT_PUBLIC},  /* documentation, RFC 3849 */
    {{0x20, 0x02}, 16, ADDRESS_FILTER_IPV4_AT_2},               /* 6to4, RFC 3056 */
    {{0x26, 0x20, 0, 0x4f, 0x80}, 48, ADDRESS_FILTER_PUBLIC},   /* AS112, RFC 7534 */
    {{0x3f, 0xff}, 20, ADDRESS_FILTER_NOT_PUBLIC},              /* documentation, RFC 9637 */
    {{0x5f}, 16, ADDRESS_FILTER_NOT_PUBLIC},                    /* segment routing, RFC 9602 */
    {{0xfc}, 7, ADDRESS_FILTER_NOT_PUBLIC},                     /* unique local, RFC 4193 */
    {{0xfe, 0x80}, 10, ADDRESS_FILTER_NOT_PUBLIC},              /* link-local, RFC 4291 */
    {{0xfe, 0xc0}, 10, ADDRESS_FILTER_NOT_PUBLIC},              /* site-local, ended by RFC 3879 */
    {{0xff}, 8, ADDRESS_FILTER_NOT_PUBLIC},                     /* multicast, RFC 4291 */
};

static bool
address_filter_holds(const struct address_filter_range *r, const uint8_t *address)
{
	size_t whole = r->length / 8;
	unsigned rest = r->length % 8;

	return memcmp(r->bits, address, whole) == 0 &&
	       (rest == 0 || (r->bits[whole] ^ address[whole]) >> (8 - rest) == 0);
}

static enum address_filter_kind
address_filter_find(const struct address_filter_range *ranges, size_t count, const uint8_t *address)
{
	for (size_t i = 0; i < count; i++)
		if (address_filter_holds(&ranges[i], address))
			return ranges[i].kind;
	return ADDRESS_FILTER_PUBLIC;
}

static bool
address_filter_is_public4(const uint8_t *address)
{
	return address_filter_find(ranges4, sizeof ranges4 / sizeof *ranges4, address) ==
	       ADDRESS_FILTER_PUBLIC;
}

static bool
address_filter_is_public6(const uint8_t *address)
{
	switch (address_filter_find(ranges6, sizeof ranges6 / sizeof *ranges6, address)) {
	case ADDRESS_FILTER_IPV4_AT_12:
		return address_filter_is_public4(address + 12);
	case ADDRESS_FILTER_IPV4_AT_2:
		return address_filter_is_public4(address + 2);
	case ADDRESS_FILTER_PUBLIC:
		return true;
	case ADDRESS_FILTER_NOT_PUBLIC:
		return false;
	}
	return false;
}

bool
address_filter_is_public(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;

		return address_filter_is_public4((const uint8_t *)&v4->sin_addr);
	}
	if (sa->sa_family == AF_INET6)
		return address_filter_is_public6(
		    ((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr);
	return false;
}

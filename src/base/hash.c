/*
 * hash: SipHash (Aumasson and Bernstein 2012) with one round for each word and three at the end.
 */
#include "base/hash.h"

static uint64_t
rotate_left(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[3];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[2] = rotate_left(v[2], 32);
}

uint64_t
hash_bytes(struct hash_key key, struct str bytes)
{
	uint64_t v[4] = {key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d,
	    key.k0 ^ 0x6c7967656e657261, key.k1 ^ 0x7465646279746573};
	uint64_t word, last = (uint64_t)bytes.n << 56;
	size_t i;

	for (i = 0; i + 8 <= bytes.n; i += 8) {
		memcpy(&word, bytes.p + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t j = i; j < bytes.n; j++)
		last |= (uint64_t)(unsigned char)bytes.p[j] << (8 * (j - i));
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

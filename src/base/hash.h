/*
 * hash: SipHash-1-3 with a key of 128 bits.  Who does not know the key cannot choose collisions.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

struct hash_key {
	uint64_t k0, k1;
};

/* The hash of the bytes. */
uint64_t hash_bytes(struct hash_key key, struct str bytes);

#endif

/*
 * block_sums: the place of a sum follows from the place of its block, so blocks may be checked in
 * any order. A block that begins elsewhere, is too long, or has no sum does not match. It has no
 * state and reads no file.
 */
#include "base/block_sums.h"

#include <endian.h>

#include "base/crc.h"

uint64_t
block_sums_bytes(uint64_t body_bytes)
{
	return (body_bytes / BLOCK_SUMS_BLOCK_BYTES + (body_bytes % BLOCK_SUMS_BLOCK_BYTES != 0)) *
	       BLOCK_SUMS_BYTES;
}

void
block_sums_make(struct str block, char *out)
{
	uint32_t sum = htole32(crc32c(0, block.p, block.n));

	memcpy(out, &sum, sizeof sum);
}

bool
block_sums_match(struct str sums, uint64_t at, struct str block)
{
	uint64_t place = at / BLOCK_SUMS_BLOCK_BYTES * BLOCK_SUMS_BYTES;
	char sum[BLOCK_SUMS_BYTES];

	if (at % BLOCK_SUMS_BLOCK_BYTES || block.n > BLOCK_SUMS_BLOCK_BYTES ||
	    place + BLOCK_SUMS_BYTES > sums.n)
		return false;
	block_sums_make(block, sum);
	return memcmp(sum, sums.p + place, BLOCK_SUMS_BYTES) == 0;
}

/*
 * block_sums: see the header.
 */
#include "base/block_sums.h"

#include <endian.h>

#include "base/crc.h"

uint64_t
sums_bytes(uint64_t body_bytes)
{
	return (body_bytes / SUMS_BLOCK_BYTES + (body_bytes % SUMS_BLOCK_BYTES != 0)) * SUMS_BYTES;
}

void
sums_make(struct str block, char *out)
{
	uint32_t sum = htole32(crc32c(0, block.p, block.n));

	memcpy(out, &sum, sizeof sum);
}

bool
sums_fit(struct str sums, uint64_t at, struct str block)
{
	uint64_t place = at / SUMS_BLOCK_BYTES * SUMS_BYTES;
	char sum[SUMS_BYTES];

	if (at % SUMS_BLOCK_BYTES || block.n > SUMS_BLOCK_BYTES || place + SUMS_BYTES > sums.n)
		return false;
	sums_make(block, sum);
	return memcmp(sum, sums.p + place, SUMS_BYTES) == 0;
}

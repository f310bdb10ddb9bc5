/*
 * block_sums: checksums of a body in a file, CRC-32C of each block of 64 KiB, 4 bytes each, little
 * endian: made when the body is stored, compared while it is sent.
 */
#ifndef BASE_BLOCK_SUMS_H
#define BASE_BLOCK_SUMS_H

#include "base/str.h"

enum { BLOCK_SUMS_BLOCK_BYTES = 65536, BLOCK_SUMS_BYTES = 4 };

/* Bytes of the list for a body. */
uint64_t block_sums_bytes(uint64_t body_bytes);
/* out: BLOCK_SUMS_BYTES, the sum of one block. */
void block_sums_make(struct str block, char *out);
/* Is the block, which begins at `at` of the body, what was stored?  False as well when at is no
 * beginning of a block or the list has none for it. */
bool block_sums_match(struct str sums, uint64_t at, struct str block);

#endif

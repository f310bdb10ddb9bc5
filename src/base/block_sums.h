/*
 * block_sums: the checksums of a message body in a file.  There is one CRC-32C of 4 bytes, little
 * endian, for each block of 64 KiB.  They are computed when the body is stored and compared while
 * it is sent.
 */
#ifndef BASE_BLOCK_SUMS_H
#define BASE_BLOCK_SUMS_H

#include "base/str.h"

enum { BLOCK_SUMS_BLOCK_BYTES = 65536, BLOCK_SUMS_BYTES = 4 };

/* The size of the checksum list of a body. */
uint64_t block_sums_bytes(uint64_t body_bytes);
/* Writes the checksum of one block (BLOCK_SUMS_BYTES) to out. */
void block_sums_make(struct str block, char *out);
/* Does the block that begins at offset `at` of the body have its stored checksum?  Also false when
 * `at` is not the start of a block, or when the list has no checksum for it. */
bool block_sums_match(struct str sums, uint64_t at, struct str block);

#endif

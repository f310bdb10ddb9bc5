/* crc: CRC-32C (Castagnoli, RFC 3720 B.4), by the processor's instruction where it has one. */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Start with 0 and feed the result back in to go on. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif

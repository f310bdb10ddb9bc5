/* crc: CRC-32C (Castagnoli, RFC 3720 B.4), by a processor instruction where there is one. */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The first call has crc 0; each further call has the result of the call before. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif

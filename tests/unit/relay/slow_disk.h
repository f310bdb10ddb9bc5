/*
 * slow_disk: the disk that relay's thread reads from in these tests.
 */
#ifndef UNIT_RELAY_SLOW_DISK_H
#define UNIT_RELAY_SLOW_DISK_H

#include <stdatomic.h>

extern atomic_bool disk_is_stalled;    /* no read returns */
extern atomic_int disk_read_error; /* of every read; 0: no error */

#endif

/*
 * still: the disk as relay's thread sees it in these tests.
 */
#ifndef UNIT_RELAY_SLOW_DISK_H
#define UNIT_RELAY_SLOW_DISK_H

#include <stdatomic.h>

extern atomic_bool disk_is_stalled;    /* no read ends */
extern atomic_int disk_read_error; /* of each read; 0: none */

#endif

/*
 * still: the disk as relay's thread sees it in these tests.
 */
#ifndef UNIT_RELAY_STILL_H
#define UNIT_RELAY_STILL_H

#include <stdatomic.h>

extern atomic_bool still_is_on;    /* no read ends */
extern atomic_int still_read_error; /* of each read; 0: none */

#endif

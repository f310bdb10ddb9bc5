/*
 * admission: what may be appended.
 */
#ifndef SPOOL_ADMISSION_H
#define SPOOL_ADMISSION_H

#include "spool/spool_internal.h"

/* 0 or the errno to refuse with; file_out: the body file that it brings, -1 none. */
int admission_check_batch(struct spool *s, const struct spool_batch *b, int *file_out) MUST_USE;
/* May a body file be begun or kept?  0, ENOSPC: the disk has less than its free share, or EIO. */
int admission_check_file(struct spool *s) MUST_USE;

#endif

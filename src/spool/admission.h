/*
 * admission: decides whether a batch may be appended, before any of it is stored.  It checks the
 * bounds of all fields, that the messages exist, and that the disk and the log have room.  It
 * changes nothing.
 */
#ifndef SPOOL_ADMISSION_H
#define SPOOL_ADMISSION_H

#include "spool/spool_internal.h"

/* 0, or the errno with which spool_append refuses the batch.  *file_out is the descriptor of the
 * batch's body file, -1 if it has none. */
int admission_check_batch(struct spool *s, const struct spool_batch *b, int *file_out) MUST_USE;
/* May a new body file be opened or appended?  0; ENOSPC: the disk has less than its free share;
 * EIO: the free space is not known. */
int admission_check_file(struct spool *s) MUST_USE;

#endif

/*
 * recovery_absent: names of segment files that are not in the directory although higher ones are.
 * Names are given in order, so a missing file had one of these names, or one above all that are
 * there.
 */
#ifndef SPOOL_RECOVERY_ABSENT_H
#define SPOOL_RECOVERY_ABSENT_H

#include "spool/segment.h"

struct recovery_absent {
	char names[160];                 /* the first of them; empty: none */
	char last[SEGMENT_NAME_BYTES];   /* the highest name that is there */
};

/* Finds the names, from all segments that were listed; sorts these by their names. */
void recovery_absent_find(struct recovery_absent *a, struct segment **segments, size_t count);
/* Logs the names, for a start that is refused because a file is missing. */
void recovery_absent_log(const struct recovery_absent *a);

#endif

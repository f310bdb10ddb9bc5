/*
 * recovery_absent: names of segment files that are not in the directory although higher ones are.
 * Names are given one after the other, so a file that is missing was one of these, or was above
 * all.
 */
#ifndef SPOOL_RECOVERY_ABSENT_H
#define SPOOL_RECOVERY_ABSENT_H

#include "spool/segment.h"

struct recovery_absent {
	char names[160];                 /* the first of them; empty: none */
	char last[SEGMENT_NAME_BYTES];   /* the highest name that is there */
};

/* Of all segments that were listed; sorts them by their names. */
void recovery_absent_find(struct recovery_absent *a, struct segment **segments, size_t count);
/* For a start that is refused because a file is missing. */
void recovery_absent_log(const struct recovery_absent *a);

#endif

/*
 * recovery_absent: names of segment files that are not in the directory although higher ones are.
 * Names are given one after the other, so a file that is missing was one of these, or was above
 * all.
 */
#ifndef SPOOL_RECOVERY_ABSENT_H
#define SPOOL_RECOVERY_ABSENT_H

#include "spool/segment.h"

struct recover_absent {
	char names[160];                 /* the first of them; empty: none */
	char last[SEGMENT_NAME_BYTES];   /* the highest name that is there */
};

/* Of all segments that were listed; sorts them by their names. */
void recover_absent_find(struct recover_absent *a, struct segment **segments, size_t count);
/* For a start that is refused because a file is missing. */
void recover_absent_tell(const struct recover_absent *a);

#endif

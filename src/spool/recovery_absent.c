/*
 * recovery_absent: compares the sorted numbers of the segment files with the sequence from 1 on.
 */
#include "spool/recovery_absent.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

enum { RECOVERY_ABSENT_NAMES_MAX = 8 };

static int
recovery_absent_by_slot(const void *a, const void *b)
{
	const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

	return (x->slot > y->slot) - (x->slot < y->slot);
}

void
recovery_absent_find(struct recovery_absent *a, struct segment **segments, size_t count)
{
	char name[SEGMENT_NAME_BYTES];
	size_t n = 0, next = 0;
	unsigned named = 0;

	if (count == 0)
		return;
	qsort(segments, count, sizeof(struct segment *), recovery_absent_by_slot);
	segment_name(segments[count - 1]->slot, a->last);
	for (uint32_t slot = 1;
	     slot < segments[count - 1]->slot && named < RECOVERY_ABSENT_NAMES_MAX; slot++) {
		while (segments[next]->slot < slot)
			next++;
		if (segments[next]->slot == slot)
			continue;
		n += (size_t)snprintf(a->names + n, sizeof a->names - n, "%s%s",
		    named++ ? ", " : "", segment_name(slot, name));
	}
}

void
recovery_absent_log(const struct recovery_absent *a)
{
	if (a->names[0])
		log_error("spool: of the names up to %s, these are not there: %s", a->last,
		    a->names);
	log_error("spool: sallyportd(8), Restoring, says how to find in a backup the segment file "
		  "with a generation");
}

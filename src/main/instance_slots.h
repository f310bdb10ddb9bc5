/*
 * instance_slots: the numbers that main assigns to the processes that create ids.  A slot is part
 * of each id (base/id.h) and the number of the process's region in the shared client table.
 * Therefore a slot is assigned only when no living process has it, and not within a second after
 * its return: two processes never create the same id.
 */
#ifndef MAIN_INSTANCE_SLOTS_H
#define MAIN_INSTANCE_SLOTS_H

#include "base/id.h"
#include "base/str.h"

enum { INSTANCE_SLOTS_REST_MS = 1000 };

struct instance_slots {
	struct {
		bool is_assigned;
		bool was_assigned;
		int64_t returned_ms;
	} slot[ID_SLOTS];
	unsigned next;
};

/* first: where the search begins; another one at each start of the daemon, so that a quick restart
 * does not assign the same slots. */
void instance_slots_init(struct instance_slots *s, unsigned first);
/* Returns a free slot, or -1: none is free now; try again after INSTANCE_SLOTS_REST_MS. */
int instance_slots_take(struct instance_slots *s, int64_t now_ms) MUST_USE;
/* Call it when the process that had the slot has ended. */
void instance_slots_return(struct instance_slots *s, int slot, int64_t now_ms);

#endif

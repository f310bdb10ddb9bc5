/*
 * instance_slots: slots are assigned in turn, so that each stays unused as long as possible. It has
 * no clock and knows no process: both are the caller's. A slot that is returned without being
 * assigned ends main, because two processes might have had it.
 */
#include "main/instance_slots.h"

#include "base/mem.h"

void
instance_slots_init(struct instance_slots *s, unsigned first)
{
	*s = (struct instance_slots){.next = first % ID_SLOTS};
}

int
instance_slots_take(struct instance_slots *s, int64_t now_ms)
{
	for (unsigned n = 0; n < ID_SLOTS; n++) {
		unsigned slot = (s->next + n) % ID_SLOTS;

		if (s->slot[slot].is_assigned)
			continue;
		if (s->slot[slot].was_assigned &&
		    now_ms - s->slot[slot].returned_ms < INSTANCE_SLOTS_REST_MS)
			continue;
		s->slot[slot].is_assigned = s->slot[slot].was_assigned = true;
		s->next = (slot + 1) % ID_SLOTS;
		return (int)slot;
	}
	return -1;
}

void
instance_slots_return(struct instance_slots *s, int slot, int64_t now_ms)
{
	if (slot < 0 || slot >= ID_SLOTS || !s->slot[slot].is_assigned)
		die("slot %d is returned and was not assigned", slot);
	s->slot[slot].is_assigned = false;
	s->slot[slot].returned_ms = now_ms;
}

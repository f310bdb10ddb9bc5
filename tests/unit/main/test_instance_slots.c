/* instance_slots: a slot belongs to one process, and is unused for a second before the next one. */
#include <criterion/criterion.h>
#include <signal.h>

#include "main/instance_slots.h"

Test(instance_slots, no_slot_has_two_processes)
{
	struct instance_slots s;
	bool seen[ID_SLOTS] = {false};

	instance_slots_init(&s, 61);
	for (int n = 0; n < ID_SLOTS; n++) {
		int slot = instance_slots_take(&s, 1000);

		cr_assert(slot >= 0 && slot < ID_SLOTS && !seen[slot], "%d", slot);
		seen[slot] = true;
	}
	cr_expect_eq(instance_slots_take(&s, 1000000), -1, "all are assigned to living processes");
}

Test(instance_slots, a_returned_slot_is_unused_for_a_second)
{
	struct instance_slots s;
	int slot = -1;

	instance_slots_init(&s, 0);
	for (int n = 0; n < ID_SLOTS; n++)
		slot = instance_slots_take(&s, 1000);
	instance_slots_return(&s, slot, 5000);
	cr_expect_eq(instance_slots_take(&s, 5000), -1);
	cr_expect_eq(instance_slots_take(&s, 5999), -1);
	cr_expect_eq(instance_slots_take(&s, 6000), slot);
	cr_expect_eq(instance_slots_take(&s, 9000), -1);
}

/* A role that ends and starts repeatedly gets another slot each time. */
Test(instance_slots, slots_are_assigned_in_turn)
{
	struct instance_slots s;

	instance_slots_init(&s, 5);
	for (int n = 0; n < 40; n++) {
		int slot = instance_slots_take(&s, 1000 + n);

		cr_expect_eq(slot, (5 + n) % ID_SLOTS);
		instance_slots_return(&s, slot, 1000 + n);
	}
}

Test(instance_slots, returning_an_unused_slot_aborts, .signal = SIGABRT)
{
	struct instance_slots s;

	instance_slots_init(&s, 0);
	instance_slots_return(&s, 3, 1000);
}

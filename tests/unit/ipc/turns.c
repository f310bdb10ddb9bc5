/* Who works much lets others run between two turns of its loop; who has little to do does not. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/turns.h"

enum { PERIOD_US = TURNS_PERIOD_MS * 1000, BUSY_US = PERIOD_US * TURNS_BUSY_PERCENT / 100 };

TestSuite(turns, .timeout = 30);

Test(turns, the_last_period_says_whether_one_is_busy)
{
	struct turns t = {.since_us = 1000000, .used_us = 500};

	cr_expect_not(turns_is_due(&t, 1000000 + PERIOD_US - 1));
	cr_expect(turns_is_due(&t, 1000000 + PERIOD_US));
	turns_count(&t, 1000000 + PERIOD_US, 500 + BUSY_US - 1);
	cr_expect_not(t.is_busy);
	cr_expect_not(turns_is_due(&t, 1000000 + 2 * PERIOD_US - 1));
	turns_count(&t, 1000000 + 2 * PERIOD_US, 500 + 2 * BUSY_US);
	cr_expect(t.is_busy);
	turns_count(&t, 1000000 + 3 * PERIOD_US, 500 + 2 * BUSY_US + 1);
	cr_expect_not(t.is_busy);
}

/* A period that was long because nothing came: what was used is a small part of it. */
Test(turns, one_that_slept_is_not_busy)
{
	struct turns t = {.since_us = 0, .is_busy = true};

	turns_count(&t, 100 * PERIOD_US, 2 * BUSY_US);
	cr_expect_not(t.is_busy);
}

Test(turns, work_and_sleep_are_told_apart)
{
	struct turns t = {0};
	int64_t until_us;

	turns_next(&t);
	for (int i = 0; i < 20 && !t.is_busy; i++) {
		until_us = clock_mono_us() + PERIOD_US;
		while (clock_mono_us() < until_us)
			;
		turns_next(&t);
	}
	cr_expect(t.is_busy, "it did nothing but work");
	for (int i = 0; i < 20 && t.is_busy; i++) {
		usleep(PERIOD_US);
		turns_next(&t);
	}
	cr_expect_not(t.is_busy, "it slept");
}

/* A busy thread lets others run between two turns of its loop; a thread with little work does
 * not. */
#include <criterion/criterion.h>
#include <time.h>
#include <unistd.h>

#include "ipc/loop_yield.h"

enum {
	PERIOD_US = LOOP_YIELD_PERIOD_MS * 1000,
	BUSY_US = PERIOD_US * LOOP_YIELD_BUSY_PERCENT / 100
};

TestSuite(loop_yield, .timeout = 30);

Test(loop_yield, the_last_period_decides_whether_it_is_busy)
{
	struct loop_yield t = {.since_us = 1000000, .used_us = 500};

	cr_expect_not(loop_yield_is_due(&t, 1000000 + PERIOD_US - 1));
	cr_expect(loop_yield_is_due(&t, 1000000 + PERIOD_US));
	loop_yield_count(&t, 1000000 + PERIOD_US, 500 + BUSY_US - 1);
	cr_expect_not(t.is_busy);
	cr_expect_not(loop_yield_is_due(&t, 1000000 + 2 * PERIOD_US - 1));
	loop_yield_count(&t, 1000000 + 2 * PERIOD_US, 500 + 2 * BUSY_US);
	cr_expect(t.is_busy);
	loop_yield_count(&t, 1000000 + 3 * PERIOD_US, 500 + 2 * BUSY_US + 1);
	cr_expect_not(t.is_busy);
}

/* A period that was long because no event came: the used time is a small part of it. */
Test(loop_yield, a_thread_that_slept_is_not_busy)
{
	struct loop_yield t = {.since_us = 0, .is_busy = true};

	loop_yield_count(&t, 100 * PERIOD_US, 2 * BUSY_US);
	cr_expect_not(t.is_busy);
}

static int64_t
used_us(void)
{
	struct timespec used;

	cr_assert_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), 0);
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* Only the processor time of the thread counts, however little of it the machine gives. */
Test(loop_yield, the_time_of_the_thread_is_counted)
{
	struct loop_yield t = {0};
	int64_t before_us, after_us, until_us = used_us() + 20000;

	while (used_us() < until_us)
		;
	before_us = used_us();
	loop_yield_next(&t);
	after_us = used_us();
	cr_expect_geq(t.used_us, before_us);
	cr_expect_leq(t.used_us, after_us);
	usleep(2 * PERIOD_US);
	t.is_busy = true;
	loop_yield_next(&t);
	cr_expect_leq(t.used_us, used_us());
	cr_expect_not(t.is_busy, "it slept");
}

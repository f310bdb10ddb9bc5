#include "policy/timeouts.h"
#include "support.h"

/* The queue waits longer than the sum of relay's timeouts, but not for ever. */
Test(timeouts, an_attempt_has_more_than_the_sum_of_its_parts)
{
	struct conf c = {0};

	c.timeouts.attempt_ms = 600000;
	c.timeouts.body_ms = 180000;
	c.timeouts.final_ms = 600000;
	cr_assert_eq(timeouts_content_ms(&c, 0), 180000);
	cr_assert_eq(timeouts_content_ms(&c, 4096), 181000);
	cr_assert_eq(timeouts_content_ms(&c, 50 << 20), 180000 + 12800 * INT64_C(1000));
	cr_assert_eq(timeouts_attempt_ms(&c, 0), 600000 + 180000 + 600000 + 60000);
	cr_assert_eq(timeouts_grace_ms(&c, 0), 60000);
}

Test(timeouts, short_ones_have_a_short_slack)
{
	struct conf c = {0};

	c.timeouts.attempt_ms = 100;
	c.timeouts.body_ms = 100;
	c.timeouts.final_ms = 800;
	cr_assert_eq(timeouts_attempt_ms(&c, 0), 1100);
	cr_assert_eq(timeouts_grace_ms(&c, 0), 110);
}

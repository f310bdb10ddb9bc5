/*
 * loop_yield: the verdict is of the last period: processor time of the thread against time that has
 * passed. It stays until the next count, so that most turns cost no system call for the count. It
 * uses no lock, and knows nothing of the loop that calls it once in each turn.
 */
#include "ipc/loop_yield.h"

#include <sched.h>
#include <time.h>

#include "base/clock.h"

void
loop_yield_count(struct loop_yield *t, int64_t now_us, int64_t used_us)
{
	t->is_busy =
	    (used_us - t->used_us) * 100 >= (now_us - t->since_us) * LOOP_YIELD_BUSY_PERCENT;
	t->since_us = now_us;
	t->used_us = used_us;
}

static int64_t
loop_yield_used_us(void)
{
	struct timespec used = {0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

void
loop_yield_next(struct loop_yield *t)
{
	int64_t now_us = clock_mono_us();

	if (loop_yield_is_due(t, now_us))
		loop_yield_count(t, now_us, loop_yield_used_us());
	if (t->is_busy)
		sched_yield();
}

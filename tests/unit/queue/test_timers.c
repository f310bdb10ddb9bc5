#include "queue/schedule/timers.h"

#include "base/mem.h"
#include "support.h"

enum { COUNT = 1000 };

static int64_t
pseudo_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (int64_t)(*state >> 33);
}

static void
check_order(struct timers *h, size_t count)
{
	int64_t last = INT64_MIN;

	for (size_t i = 0; i < count; i++) {
		struct timer *t = timers_first(h);

		cr_assert(t, "%zu of %zu", i, count);
		cr_assert_geq(t->at_ms, last);
		last = t->at_ms;
		timers_remove(h, t);
		cr_assert_eq(t->place, 0);
	}
	cr_assert_null(timers_first(h));
}

Test(timers, come_out_in_order)
{
	struct timers h;
	struct timer *t = mem_new(COUNT * sizeof *t);
	uint64_t seed = 1;

	timers_init(&h);
	for (size_t i = 0; i < COUNT; i++)
		timers_set(&h, &t[i], pseudo_random(&seed) % 100);
	check_order(&h, COUNT);
	timers_clear(&h);
	mem_free(t);
}

Test(timers, are_moved_and_removed_anywhere)
{
	struct timers h;
	struct timer *t = mem_new(COUNT * sizeof *t);
	uint64_t seed = 7;
	size_t left = COUNT;

	timers_init(&h);
	for (size_t i = 0; i < COUNT; i++)
		timers_set(&h, &t[i], pseudo_random(&seed));
	for (size_t i = 0; i < COUNT; i += 3)
		timers_set(&h, &t[i], pseudo_random(&seed));
	for (size_t i = 1; i < COUNT; i += 3) {
		timers_remove(&h, &t[i]);
		timers_remove(&h, &t[i]);
		left--;
	}
	cr_assert_eq(h.count, left);
	for (size_t i = 0; i < COUNT; i++)
		cr_assert_eq(t[i].place == 0, i % 3 == 1);
	check_order(&h, left);
	timers_clear(&h);
	mem_free(t);
}

Test(timers, equal_times_and_an_empty_heap)
{
	struct timers h;
	struct timer a = {0}, b = {0};

	timers_init(&h);
	cr_assert_null(timers_first(&h));
	timers_remove(&h, &a);
	timers_set(&h, &a, INT64_MAX);
	timers_set(&h, &b, INT64_MAX);
	timers_set(&h, &b, INT64_MIN);
	cr_assert_eq(timers_first(&h), &b);
	check_order(&h, 2);
	timers_clear(&h);
}

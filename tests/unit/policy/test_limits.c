/* limits: buckets refill evenly, a request takes from all rates or none, and a snapshot can be any
 * bytes. */
#include "policy/limits.h"

#include "base/mem.h"
#include "support.h"

static const int64_t hour_ms = 3600000;
static const int64_t start_ms = INT64_C(1795000000000);

static const struct conf_rate ten_an_hour[] = {{10, 3600000}};
static const struct conf_rate two_rates[] = {{10, 3600000}, {15, 86400000}};
static const struct conf_rates one = {ten_an_hour, 1};
static const struct conf_rates two = {two_rates, 2};
static const struct conf_rates none = {NULL, 0};

static bool
take(struct limits *l, const char *name, const struct conf_rates *rates, uint64_t n, int64_t now_ms)
{
	return limits_take(l, str_of(name), rates, n, now_ms) == 0;
}

Test(limits, full_then_even_refill)
{
	struct limits *l = limits_new();

	cr_assert(take(l, "a", &one, 10, start_ms));
	cr_assert_eq(limits_take(l, STR("a"), &one, 1, start_ms), hour_ms / 10);
	cr_assert_not(take(l, "a", &one, 1, start_ms + hour_ms / 10 - 1));
	cr_assert(take(l, "a", &one, 1, start_ms + hour_ms / 10));
	cr_assert_not(take(l, "a", &one, 1, start_ms + hour_ms / 10));
	cr_assert(take(l, "b", &one, 10, start_ms), "names do not share");
	limits_free(&l);
}

/* Fractions are not lost when a bucket is computed often. */
Test(limits, many_small_steps_equal_one)
{
	struct limits *l = limits_new();
	int64_t ms;
	bool taken = false;

	cr_assert(take(l, "a", &one, 10, start_ms));
	for (ms = 1; ms <= hour_ms && !taken; ms += 7)
		taken = take(l, "a", &one, 1, start_ms + ms);
	cr_assert_leq(ms - 7, hour_ms / 10 + 7);
	limits_free(&l);
}

Test(limits, more_than_a_bucket_is_never_allowed)
{
	struct limits *l = limits_new();

	cr_assert_eq(limits_take(l, STR("a"), &one, 11, start_ms), -1);
	cr_assert_eq(limits_take(l, STR("a"), &one, UINT64_MAX, start_ms), -1);
	cr_assert(take(l, "a", &one, 10, start_ms), "nothing was taken");
	limits_free(&l);
}

Test(limits, all_rates_or_none)
{
	struct limits *l = limits_new();
	int64_t now_ms = start_ms, retry_ms;

	cr_assert(take(l, "a", &two, 10, now_ms));
	now_ms += hour_ms;
	retry_ms = limits_take(l, STR("a"), &two, 6, now_ms);
	cr_assert_gt(retry_ms, 0);
	cr_assert_eq(limits_used(l, STR("a"), &two, now_ms), 0, "the hour's bucket was left alone");
	cr_assert(take(l, "a", &two, 6, now_ms + retry_ms));
	limits_free(&l);
}

Test(limits, without_rates_there_is_no_limit)
{
	struct limits *l = limits_new();

	cr_assert(take(l, "a", &none, 1000000, start_ms));
	cr_assert_eq(limits_used(l, STR("a"), &none, start_ms), 0);
	limits_free(&l);
}

/* The longest wait counts, whichever rate it belongs to. */
Test(limits, wait_is_the_longest_of_all_rates)
{
	struct limits *l = limits_new();
	struct limits_use use;

	cr_assert(take(l, "a", &two, 10, start_ms));
	limits_get_use(l, STR("a"), &two, start_ms, &use);
	cr_expect_eq(use.wait_ms, 360000, "one in six minutes; the day has five more");
	cr_assert(take(l, "a", &two, 5, start_ms + hour_ms));
	limits_get_use(l, STR("a"), &two, start_ms + hour_ms, &use);
	cr_expect_eq(use.count, 2);
	cr_expect_eq(use.used[0], 5);
	cr_expect_eq(use.used[1], 15, "14.375 of 15");
	cr_expect_eq(use.wait_ms, 2160000, "0.375 of 96 minutes; the hour has five more");
	cr_expect_eq(limits_take(l, STR("a"), &two, 1, start_ms + hour_ms), 2160000);
	limits_get_use(l, STR("a"), &two, start_ms + hour_ms + 2160000, &use);
	cr_expect_eq(use.wait_ms, 0);
	limits_free(&l);
}

Test(limits, a_rate_of_zero_never_allows_one)
{
	static const struct conf_rate nothing_first[] = {{0, 3600000}, {10, 3600000}};
	static const struct conf_rate nothing_last[] = {{10, 3600000}, {0, 3600000}};
	static const struct conf_rates rates[] = {{nothing_first, 2}, {nothing_last, 2}};
	struct limits *l = limits_new();
	struct limits_use use;

	for (size_t i = 0; i < 2; i++) {
		limits_get_use(l, STR("a"), &rates[i], start_ms, &use);
		cr_expect_eq(use.wait_ms, -1);
		cr_expect_eq(limits_take(l, STR("a"), &rates[i], 1, start_ms), -1);
	}
	limits_free(&l);
}

Test(limits, give_back)
{
	struct limits *l = limits_new();
	struct limits_use use;

	cr_assert(take(l, "a", &one, 10, start_ms));
	limits_give_back(l, STR("a"), &one, 4);
	cr_assert_eq(limits_used(l, STR("a"), &one, start_ms), 6);
	limits_get_use(l, STR("a"), &one, start_ms, &use);
	cr_assert_eq(use.count, 1);
	cr_assert_eq(use.used[0], 6);
	cr_assert_eq(use.wait_ms, 0);
	cr_assert(take(l, "a", &one, 4, start_ms));
	limits_get_use(l, STR("a"), &one, start_ms, &use);
	cr_assert_eq(use.wait_ms, hour_ms / 10);
	limits_give_back(l, STR("a"), &one, UINT64_MAX);
	cr_assert_eq(limits_used(l, STR("a"), &one, start_ms), 0);
	limits_give_back(l, STR("unknown"), &one, 4);
	limits_free(&l);
}

/* Each rate is compared with its own count: the large limit of a day is not near its end because
 * the small one of an hour is. */
Test(limits, near_and_spare)
{
	static const struct conf_rate rates[] = {{300, 3600000}, {2000, 86400000}};
	struct conf_rates both = {rates, 2};
	struct limits *l = limits_new();

	cr_assert_eq(limits_spare(l, STR("a"), &both, start_ms), 300);
	cr_assert_not(limits_is_near(l, STR("a"), &both, 4, start_ms));
	cr_assert(take(l, "a", &both, 224, start_ms));
	cr_assert_not(limits_is_near(l, STR("a"), &both, 4, start_ms));
	cr_assert(take(l, "a", &both, 1, start_ms));
	cr_assert_eq(limits_spare(l, STR("a"), &both, start_ms), 75);
	cr_assert(limits_is_near(l, STR("a"), &both, 4, start_ms));
	cr_assert_eq(limits_spare(l, STR("a"), &none, start_ms), UINT64_MAX);
	cr_assert_not(limits_is_near(l, STR("a"), &none, 4, start_ms));
	limits_free(&l);
}

Test(limits, used_rounds_up)
{
	struct limits *l = limits_new();

	cr_assert(take(l, "a", &one, 5, start_ms));
	cr_assert_eq(limits_used(l, STR("a"), &one, start_ms + 1), 5);
	cr_assert_eq(limits_used(l, STR("a"), &one, start_ms + hour_ms / 10), 4);
	cr_assert_eq(limits_used(l, STR("a"), &one, start_ms + hour_ms), 0);
	cr_assert_eq(limits_used(l, STR("nobody"), &one, start_ms), 0);
	limits_free(&l);
}

/* The clock was set back by an hour: nothing refills at once, but the bucket goes on to work. */
Test(limits, clock_set_back)
{
	struct limits *l = limits_new();

	cr_assert(take(l, "a", &one, 10, start_ms + hour_ms));
	cr_assert_not(take(l, "a", &one, 1, start_ms));
	limits_give_back(l, STR("a"), &one, 1);
	cr_assert(take(l, "a", &one, 1, start_ms));
	cr_assert(take(l, "a", &one, 1, start_ms + hour_ms / 10));
	limits_free(&l);
}

/* A reload that changes the rate keeps what was used, as far as it fits into the new bucket. */
Test(limits, rate_changes)
{
	static const struct conf_rate bigger[] = {{20, 3600000}}, smaller[] = {{5, 3600000}};
	static const struct conf_rate daily[] = {{20, 86400000}};
	struct conf_rates up = {bigger, 1}, down = {smaller, 1}, day = {daily, 1};
	struct limits *l = limits_new();

	cr_assert(take(l, "a", &one, 10, start_ms));
	cr_assert_eq(limits_used(l, STR("a"), &up, start_ms), 10);
	cr_assert_eq(limits_used(l, STR("a"), &day, start_ms), 10);
	cr_assert_eq(limits_used(l, STR("a"), &down, start_ms), 5);
	cr_assert(take(l, "a", &up, 10, start_ms));
	cr_assert_not(take(l, "a", &up, 1, start_ms));
	cr_assert_not(take(l, "a", &down, 1, start_ms));
	limits_free(&l);
}

Test(limits, prune_forgets_names_with_full_buckets)
{
	struct limits *l = limits_new();
	struct buf before, after;

	buf_init(&before, 4096);
	buf_init(&after, 4096);
	limits_save(l, &before);
	cr_assert(take(l, "a", &one, 1, start_ms));
	cr_assert(take(l, "b", &one, 10, start_ms));
	limits_prune(l, start_ms + hour_ms / 10);
	cr_assert_eq(limits_used(l, STR("b"), &one, start_ms + hour_ms / 10), 9);
	limits_prune(l, start_ms + hour_ms);
	limits_save(l, &after);
	cr_assert(str_eq(buf_str(&before), buf_str(&after)));
	buf_clear(&before);
	buf_clear(&after);
	limits_free(&l);
}

Test(limits, save_and_load)
{
	struct limits *l = limits_new(), *again = limits_new();
	struct buf b;

	buf_init(&b, 65536);
	cr_assert(take(l, "alice@example.com", &two, 7, start_ms));
	cr_assert(take(l, "bob", &one, 3, start_ms));
	limits_save(l, &b);
	cr_assert(take(again, "stale", &one, 3, start_ms));
	cr_assert(limits_load(again, buf_str(&b)));
	cr_expect_eq(limits_used(again, STR("alice@example.com"), &two, start_ms), 7);
	cr_expect_eq(limits_used(again, STR("bob"), &one, start_ms), 3);
	cr_expect_eq(limits_used(again, STR("stale"), &one, start_ms), 0);
	cr_expect_not(take(again, "alice@example.com", &two, 4, start_ms));
	buf_clear(&b);
	limits_free(&l);
	limits_free(&again);
}

/* Every truncated snapshot and every changed bit: false and nothing changed, or a table that
 * works. */
Test(limits, load_accepts_any_bytes)
{
	struct limits *l = limits_new();
	struct buf b;

	buf_init(&b, 65536);
	cr_assert(take(l, "alice@example.com", &two, 7, start_ms));
	limits_save(l, &b);
	for (size_t n = 0; n < b.n; n++) {
		struct limits *other = limits_new();
		char *cut = mem_text(b.p, n);

		cr_assert(take(other, "kept", &one, 2, start_ms));
		/* the version alone is an empty table */
		cr_expect_eq(limits_load(other, str_make(cut, n)), n == 8, "%zu bytes", n);
		if (n != 8)
			cr_expect_eq(limits_used(other, STR("kept"), &one, start_ms), 2);
		mem_free(cut);
		limits_free(&other);
	}
	for (size_t i = 0; i < b.n * 8; i++) {
		struct limits *other = limits_new();

		b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << i % 8);
		if (limits_load(other, buf_str(&b))) {
			cr_expect_leq(
			    limits_used(other, STR("alice@example.com"), &two, start_ms), 10);
			(void)take(other, "alice@example.com", &two, 3, start_ms + hour_ms);
			limits_prune(other, start_ms);
		}
		b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << i % 8);
		limits_free(&other);
	}
	buf_clear(&b);
	limits_free(&l);
}

Test(limits, load_refuses_a_name_that_is_there_twice)
{
	struct limits *l = limits_new();
	struct buf b;
	size_t entry;

	buf_init(&b, 65536);
	cr_assert(take(l, "a", &one, 1, start_ms));
	limits_save(l, &b);
	entry = b.n - 8;
	for (size_t i = 0; i < entry; i++)
		buf_addc(&b, b.p[8 + i]);
	cr_assert_not(limits_load(l, buf_str(&b)));
	buf_clear(&b);
	limits_free(&l);
}

Test(limits, of_a_user)
{
	struct conf *c =
	    conf_of("limits: { per_user = \"5 / 1h\"; users: ("
	            "{ user = \"erp@example.com\"; per_user = \"7 / 1h, 9 / 1d\"; } ); };");

	cr_expect_eq(limits_of_user(c, STR("ERP@example.com"))->count, 2);
	cr_expect_eq(limits_of_user(c, STR("erp@example.com"))->rate[0].count, 7);
	cr_expect_eq(limits_of_user(c, STR("erp@example.org"))->rate[0].count, 5);
	conf_drop(&c);
}

#include "queue/rate_limits.h"

#include "support.h"

static const struct conf_rate rate = {.count = 100, .period_ms = 3600000};
static const struct conf_rates rates = {&rate, 1};

struct saved {
	unsigned count;
	bool refuses;
	struct rate_limits *into;
};

static bool
save(struct str name, struct str value, void *arg)
{
	struct saved *s = arg;

	s->count++;
	if (s->into)
		cr_assert(rate_limits_load(s->into, name, value));
	return !s->refuses;
}

Test(rate_limits, take_give_back_and_the_limit)
{
	struct rate_limits *b = rate_limits_new();

	cr_assert_eq(rate_limits_take(b, STR("alice"), &rates, 100), 0);
	cr_assert_gt(rate_limits_take(b, STR("alice"), &rates, 1), 0);
	cr_assert_eq(rate_limits_take(b, STR("bob"), &rates, 100), 0, "each user has its own");
	rate_limits_give_back(b, STR("alice"), &rates, 40);
	cr_assert_eq(rate_limits_take(b, STR("alice"), &rates, 40), 0);
	cr_assert_gt(rate_limits_take(b, STR("alice"), &rates, 1), 0);
	rate_limits_free(&b);
	cr_assert_null(b);
}

/* Only parts that changed are written, and again when that failed. */
Test(rate_limits, save_what_changed)
{
	struct rate_limits *b = rate_limits_new();
	struct saved s = {.refuses = true};

	rate_limits_save(b, save, &s);
	cr_assert_eq(s.count, 0);
	cr_assert_eq(rate_limits_take(b, STR("alice"), &rates, 10), 0);
	rate_limits_save(b, save, &s);
	cr_assert_eq(s.count, 1);
	s.refuses = false;
	rate_limits_save(b, save, &s);
	cr_assert_eq(s.count, 2, "it was refused before");
	rate_limits_save(b, save, &s);
	cr_assert_eq(s.count, 2);
	rate_limits_free(&b);
}

Test(rate_limits, survive_a_restart)
{
	struct rate_limits *b = rate_limits_new();
	struct saved s = {.into = rate_limits_new()};

	for (char user = 'a'; user <= 'z'; user++)
		cr_assert_eq(rate_limits_take(b, str_make(&user, 1), &rates, 95), 0);
	rate_limits_save(b, save, &s);
	for (char user = 'a'; user <= 'z'; user++) {
		cr_assert_gt(
		    rate_limits_take(s.into, str_make(&user, 1), &rates, 7), 0, "%c", user);
		cr_assert_eq(
		    rate_limits_take(s.into, str_make(&user, 1), &rates, 4), 0, "%c", user);
	}
	rate_limits_free(&b);
	rate_limits_free(&s.into);
}

Test(rate_limits, notes_of_others_and_damaged_ones)
{
	struct rate_limits *b = rate_limits_new();

	cr_assert_not(rate_limits_load(b, STR("limits"), STR("")));
	cr_assert_not(rate_limits_load(b, STR("limits.64"), STR("")));
	cr_assert_not(rate_limits_load(b, STR("tickets"), STR("")));
	cr_assert_not(rate_limits_load(b, STR("limits.0"), STR("\xff\xff\xff\xffrubbish")));
	rate_limits_free(&b);
}

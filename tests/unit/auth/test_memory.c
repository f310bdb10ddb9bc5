/* What the broker remembers in tables of fixed size: passwords for a while, failures and usual
 * networks for longer. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "auth/failures.h"
#include "auth/password_cache.h"
#include "auth/usual_networks.h"
#include "base/clock.h"

static void
run_clock(void)
{
	clock_fake(-1);
}

Test(password_cache, passwords_are_remembered_for_a_time, .fini = run_clock)
{
	struct password_cache *c = password_cache_new();

	clock_fake(1000);
	cr_assert(!password_cache_has(c, STR("alice"), STR("secret")));
	password_cache_add(c, STR("alice"), STR("secret"), 60000);
	cr_assert(password_cache_has(c, STR("alice"), STR("secret")));
	cr_assert(!password_cache_has(c, STR("alice"), STR("Secret")));
	cr_assert(!password_cache_has(c, STR("alices"), STR("ecret")));
	cr_assert(!password_cache_has(c, STR("bob"), STR("secret")));
	clock_fake(60999);
	cr_assert(password_cache_has(c, STR("alice"), STR("secret")));
	clock_fake(61000);
	cr_assert(!password_cache_has(c, STR("alice"), STR("secret")));
	password_cache_add(c, STR("alice"), STR("secret"), 0);
	cr_assert(!password_cache_has(c, STR("alice"), STR("secret")), "0 turns it off");
	password_cache_free(&c);
}

Test(password_cache, a_user_is_forgotten_at_once)
{
	struct password_cache *c = password_cache_new();

	password_cache_add(c, STR("alice"), STR("one"), 60000);
	password_cache_add(c, STR("alice"), STR("two"), 60000);
	password_cache_forget_user(c, STR("alice"));
	cr_assert(!password_cache_has(c, STR("alice"), STR("one")));
	cr_assert(!password_cache_has(c, STR("alice"), STR("two")));
	password_cache_free(&c);
}

Test(password_cache, the_newest_password_is_always_known)
{
	struct password_cache *c = password_cache_new();
	int known = 0;

	for (int i = 0; i < 100000; i++) {
		char user[16];

		snprintf(user, sizeof user, "u%d", i);
		password_cache_add(c, str_of(user), STR("x"), 60000);
		known += password_cache_has(c, str_of(user), STR("x"));
	}
	cr_assert_eq(known, 100000, "the newest is always known");
	password_cache_free(&c);
}

static const struct failures_limit limit = {10, 15 * 60000};

Test(failures, failures_are_counted_and_forgotten, .fini = run_clock)
{
	struct failures *f = failures_new();

	clock_fake(5000);
	for (uint64_t i = 1; i <= 10; i++)
		cr_assert_eq(failures_add(f, FAILURES_OF_USER, STR("alice"), limit), i);
	cr_assert_eq(failures_count(f, FAILURES_OF_USER, STR("alice"), limit), 10);
	cr_assert_eq(failures_count(f, FAILURES_OF_NETWORK, STR("alice"), limit), 0);
	cr_assert_eq(failures_count(f, FAILURES_OF_USER, STR("bob"), limit), 0);
	clock_fake(5000 + 90000);
	cr_assert_eq(failures_count(f, FAILURES_OF_USER, STR("alice"), limit), 9);
	clock_fake(5000 + 15 * 60000);
	cr_assert_eq(failures_count(f, FAILURES_OF_USER, STR("alice"), limit), 0);
	failures_free(&f);
}

Test(failures, remaining_time_and_clearing, .fini = run_clock)
{
	struct failures *f = failures_new();

	clock_fake(5000);
	for (int i = 0; i < 9; i++)
		(void)failures_add(f, FAILURES_OF_LOGIN, STR("alice"), limit);
	cr_assert_eq(failures_left_ms(f, FAILURES_OF_LOGIN, STR("alice"), limit), 0);
	(void)failures_add(f, FAILURES_OF_LOGIN, STR("alice"), limit);
	cr_assert_eq(failures_left_ms(f, FAILURES_OF_LOGIN, STR("alice"), limit), 90000);
	clock_fake(5000 + 89999);
	cr_assert_eq(failures_count(f, FAILURES_OF_LOGIN, STR("alice"), limit), 10);
	cr_assert_eq(failures_left_ms(f, FAILURES_OF_LOGIN, STR("alice"), limit), 1);
	clock_fake(5000 + 90000);
	cr_assert_eq(failures_count(f, FAILURES_OF_LOGIN, STR("alice"), limit), 9);
	cr_assert(failures_clear(f, FAILURES_OF_LOGIN, STR("alice")));
	cr_assert_not(failures_clear(f, FAILURES_OF_LOGIN, STR("alice")));
	cr_assert_eq(failures_count(f, FAILURES_OF_LOGIN, STR("alice"), limit), 0);
	failures_free(&f);
}

Test(failures, the_count_is_bounded, .fini = run_clock)
{
	struct failures *f = failures_new();

	clock_fake(5000);
	for (int i = 0; i < 10000; i++)
		failures_add(f, FAILURES_OF_NETWORK, STR("\1\2\3\4"), limit);
	cr_assert_eq(failures_count(f, FAILURES_OF_NETWORK, STR("\1\2\3\4"), limit), 20);
	clock_fake(5000 + 2 * limit.period_ms);
	cr_assert_eq(failures_count(f, FAILURES_OF_NETWORK, STR("\1\2\3\4"), limit), 0);
	failures_free(&f);
}

Test(failures, a_high_count_survives_many_names, .fini = run_clock)
{
	struct failures *f = failures_new();

	clock_fake(5000);
	for (int i = 0; i < 10; i++)
		failures_add(f, FAILURES_OF_USER, STR("alice"), limit);
	for (int i = 0; i < 200000; i++) {
		char user[16];

		snprintf(user, sizeof user, "u%d", i);
		failures_add(f, FAILURES_OF_USER, str_of(user), limit);
	}
	cr_assert_eq(failures_count(f, FAILURES_OF_USER, STR("alice"), limit), 10);
	failures_free(&f);
}

Test(failures, the_delay_doubles)
{
	static const int64_t expected[] = {0, 500, 1000, 2000, 4000, 8000, 10000, 10000};

	for (uint64_t i = 0; i < sizeof expected / sizeof *expected; i++)
		cr_assert_eq(failures_delay_ms(i), expected[i]);
	cr_assert_eq(failures_delay_ms(UINT64_MAX), 10000);
}

/* ---- usual networks ---- */

Test(usual_networks, a_network_is_usual_for_one_login, .fini = run_clock)
{
	struct usual_networks *p = usual_networks_new();

	clock_fake(5000);
	cr_assert(!usual_networks_has(p, STR("alice"), STR("\12\1\2\3")));
	usual_networks_add(p, STR("alice"), STR("\12\1\2\3"));
	cr_assert(usual_networks_has(p, STR("alice"), STR("\12\1\2\3")));
	cr_assert(usual_networks_has(p, STR("alice"), STR("\12\1\2\377")), "the same /24");
	cr_assert(!usual_networks_has(p, STR("alice"), STR("\12\1\3\3")));
	cr_assert(!usual_networks_has(p, STR("bob"), STR("\12\1\2\3")));
	usual_networks_add(p, STR("alice"), STR("\1\2\3\4\5\6\7\10"));
	cr_assert(usual_networks_has(p, STR("alice"), STR("\1\2\3\4\5\6\7\10")));
	cr_assert(!usual_networks_has(p, STR("alice"), STR("\1\2\3\4\5\6\7\11")));
	clock_fake(5000 + INT64_C(30) * 24 * 3600 * 1000);
	cr_assert(!usual_networks_has(p, STR("alice"), STR("\12\1\2\3")),
	    "a month later it is forgotten");
	usual_networks_free(&p);
}

/* The newest networks stay; one login never takes more than its number of entries. */
Test(usual_networks, the_number_per_login_is_bounded, .fini = run_clock)
{
	struct usual_networks *p = usual_networks_new();
	unsigned known = 0;

	clock_fake(1);
	for (int i = 0; i < 1000; i++) {
		char user[16];

		snprintf(user, sizeof user, "u%d", i);
		usual_networks_add(p, str_of(user), STR("\12\1\2\3"));
	}
	for (int i = 0; i < 200; i++) {
		char network[4] = {10, 2, (char)i, 1};

		clock_fake(10 + i);
		usual_networks_add(p, STR("alice"), str_make(network, sizeof network));
	}
	for (int i = 0; i < 200; i++) {
		char network[4] = {10, 2, (char)i, 1};
		bool has = usual_networks_has(p, STR("alice"), str_make(network, sizeof network));

		cr_assert_eq(has, i >= 200 - USUAL_NETWORKS_PER_LOGIN, "%d", i);
		known += has;
	}
	cr_assert_eq(known, USUAL_NETWORKS_PER_LOGIN);
	for (int i = 0; i < 1000; i++) {
		char user[16];

		snprintf(user, sizeof user, "u%d", i);
		cr_assert(usual_networks_has(p, str_of(user), STR("\12\1\2\3")), "%s", user);
	}
	usual_networks_free(&p);
}

/* All networks of this login, and of no other. */
Test(usual_networks, a_login_is_forgotten, .fini = run_clock)
{
	struct usual_networks *p = usual_networks_new();
	char user[16];

	clock_fake(1);
	for (char i = 0; i < 3; i++)
		cr_assert(usual_networks_add(p, STR("alice"), str_make((char[]){10, 2, i, 1}, 4)));
	cr_assert_not(usual_networks_add(p, STR("alice"), str_make((char[]){10, 2, 1, 9}, 4)),
	    "known already");
	for (int i = 0; i < 1000; i++) {
		snprintf(user, sizeof user, "u%d", i);
		cr_assert(usual_networks_add(p, str_of(user), STR("\12\2\1\1")));
	}
	usual_networks_forget(p, STR("alice"));
	usual_networks_forget(p, STR("nobody"));
	for (char i = 0; i < 3; i++)
		cr_assert_not(
		    usual_networks_has(p, STR("alice"), str_make((char[]){10, 2, i, 1}, 4)));
	for (int i = 0; i < 1000; i++) {
		snprintf(user, sizeof user, "u%d", i);
		cr_assert(usual_networks_has(p, str_of(user), STR("\12\2\1\1")), "%s", user);
	}
	cr_assert(usual_networks_add(p, STR("alice"), STR("\12\2\1\1")));
	usual_networks_free(&p);
}

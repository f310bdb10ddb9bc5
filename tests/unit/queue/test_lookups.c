/* Which domains are looked up: those with silent name servers leave room for the others. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/mem.h"
#include "queue/schedule/lookups.h"
#include "queue/schedule/schedule.h"

enum { MANY = 3000, DOMAIN_BYTES = 32, ALONE = SCHED_LOOKUPS_MAX / 3 };

static const int64_t now = 1000000000, retry_ms[] = {60000};
static const struct schedule_limits limits = {
    .concurrency = 100, .destination_concurrency = 20, .retry_ms = retry_ms, .retry_count = 1};
static struct schedule *s;
static struct sched_delivery deliveries[MANY + 10];
static char asked[MANY + 10][DOMAIN_BYTES];
static size_t asked_count;

static void
begin(void)
{
	s = schedule_new(&limits);
	memset(deliveries, 0, sizeof deliveries);
	asked_count = 0;
}

static void
end(void)
{
	schedule_free(&s);
}

TestSuite(lookups, .init = begin, .fini = end);

static void
add(size_t i, const char *user, const char *domain)
{
	deliveries[i].user = user;
	deliveries[i].due_ms = now;
	deliveries[i].expires_ms = now + 1000000;
	schedule_add(s, &deliveries[i], str_of(domain), now);
}

/* Asks all that may be asked now; returns how many. */
static size_t
ask(void)
{
	struct schedule_step step;
	size_t count = 0;

	for (;; count++) {
		schedule_next(s, now, &step);
		if (step.act == SCHEDULE_NOTHING)
			break;
		cr_assert_eq(step.act, SCHEDULE_RESOLVE);
		snprintf(asked[asked_count++], DOMAIN_BYTES, "%.*s", STR_ARG(step.next_hop));
	}
	cr_expect_gt(schedule_wake_ms(s), now, "it does not turn without a step");
	return count;
}

static void
add_many(size_t from, size_t count, const char *user)
{
	char domain[DOMAIN_BYTES];

	for (size_t i = from; i < from + count; i++) {
		snprintf(domain, sizeof domain, "d%zu.example", i);
		add(i, user, domain);
	}
}

static void
fail(const char *domain)
{
	struct smtp_status status = smtp_status_make(451, "4.4.3", "no answer");
	struct schedule_answer answer = {STR_NULL, &status, 60};
	struct schedule_step step;

	schedule_answered(s, str_of(domain), &answer, now);
	schedule_next(s, now, &step);
	cr_assert_eq(step.act, SCHEDULE_DEFER);
}

Test(lookups, one_user_has_a_third)
{
	add_many(0, MANY, "alice");
	cr_assert_eq(ask(), ALONE + 1);
	/* another one does not wait */
	add(MANY, "bob", "other.example");
	cr_assert_eq(ask(), 1);
	cr_expect_str_eq(asked[asked_count - 1], "other.example");
	/* each answer makes room for more */
	for (size_t i = 0; i < 100; i++)
		fail(asked[i]);
	cr_expect_eq(ask(), 99);
}

Test(lookups, many_users_leave_room)
{
	static const char *users[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	size_t open = 0;

	for (size_t i = 0; i < 8; i++) {
		add_many(i * 300, 300, users[i]);
		open += ask();
	}
	cr_expect_lt(open, SCHED_LOOKUPS_MAX);
	add(MANY, "bob", "other.example");
	cr_expect_eq(ask(), 1);
}

Test(lookups, a_domain_in_the_queue_of_another_user)
{
	add_many(0, MANY, "alice");
	ask();
	add(MANY, "bob", "d2999.example");
	cr_assert_eq(ask(), 1);
	cr_expect_str_eq(asked[asked_count - 1], "d2999.example");
	/* one that is open already is not asked again */
	add(MANY + 1, "bob", asked[0]);
	cr_expect_eq(ask(), 0);
}

Test(lookups, a_domain_without_deliveries_is_not_looked_up)
{
	add_many(0, MANY, "alice");
	ask();
	for (size_t i = 0; i < MANY; i++)
		schedule_remove(s, &deliveries[i]);
	cr_expect_eq(schedule_wake_ms(s), INT64_MAX);
	/* they are open until they are answered */
	add_many(0, 5, "alice");
	add(MANY, "alice", "new.example");
	for (size_t i = 0; i < 5; i++)
		fail(asked[i]);
}

Test(lookups, a_new_relay_is_asked_again)
{
	add_many(0, MANY, "alice");
	cr_assert_eq(ask(), ALONE + 1);
	schedule_relay_lost(s);
	cr_expect_eq(ask(), ALONE + 1, "all slots are free again");
	for (size_t i = 0; i < ALONE; i++)
		fail(asked[ALONE + 1 + i]);
	cr_expect_eq(ask(), ALONE);
}

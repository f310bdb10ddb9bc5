/* schedule: what is looked up and delivered when, to destinations that answer, are unreachable, or
 * are refused. */
#include "base/mem.h"
#include "queue/schedule/sched_destination.h"
#include "queue/schedule/user_queues.h"
#include "schedule_sim.h"

static const struct smtp_status no_such_domain = {
    .code = 550, .class = 5, .subject = 1, .detail = 2};

/* Of the due deliveries, how many wait because their domain or destination is unreachable. */
static size_t
delayed(const struct schedule *s)
{
	struct schedule_totals totals;

	schedule_count(s, &totals);
	return totals.delayed;
}

Test(schedule, asks_once_and_delivers)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(3);
	struct sched_delivery *got[10];

	for (int i = 0; i < 3; i++)
		schedule_add(s, &p[i], STR("example.net"), sim_start_ms);
	sim_answer(s, "example.net", "mx", sim_start_ms);
	cr_assert_eq(sim_drain(s, sim_start_ms, got, 10), 1);
	cr_assert_eq(got[0], &p[0]);
	cr_assert_eq(p[0].state, DELIVERY_RUNNING);
	schedule_finished(s, &p[0], SCHEDULE_REACHED, NULL, sim_start_ms);
	cr_assert_eq(p[0].state, DELIVERY_IDLE);
	cr_assert_eq(sim_drain(s, sim_start_ms, got, 10), 2, "it answered: all that are left");
	cr_assert_eq(got[0], &p[1]);
	cr_assert_eq(got[1], &p[2]);
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, waits_until_due)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(1);
	struct schedule_step step;

	p->due_ms = sim_start_ms + 1000;
	schedule_add(s, p, STR("a"), sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms + 999, &step), SCHEDULE_NOTHING);
	cr_assert_eq(schedule_wake_ms(s), sim_start_ms + 1000);
	cr_assert_eq(sim_next(s, sim_start_ms + 1000, &step), SCHEDULE_RESOLVE);
	schedule_free(&s);
	mem_free(p);
}

/* The window grows with success, up to the limit, and never above. */
Test(schedule, window_opens_with_answers)
{
	static const size_t expected[] = {1, SCHEDULE_WINDOW_START, 10, 20, 20, 20};
	struct schedule *s = sim_schedule(500, 20);
	struct sched_delivery *p = sim_deliveries(200);
	struct sched_delivery *got[200];

	for (int i = 0; i < 200; i++)
		schedule_add(s, &p[i], STR("a"), sim_start_ms);
	sim_answer(s, "a", "sa", sim_start_ms);
	for (size_t round = 0; round < sizeof expected / sizeof *expected; round++) {
		size_t n = sim_drain(s, sim_start_ms, got, 200);

		cr_assert_eq(n, expected[round], "round %zu: %zu", round, n);
		for (size_t i = 0; i < n; i++)
			schedule_finished(s, got[i], SCHEDULE_REACHED, NULL, sim_start_ms);
	}
	schedule_free(&s);
	mem_free(p);
}

/* The overall limit holds, and no destination gets all of it. */
Test(schedule, concurrency)
{
	struct schedule *s = sim_schedule(25, 25);
	struct sched_delivery *p = sim_deliveries(200);
	struct sched_delivery *got[200];
	struct schedule_totals totals;
	size_t n;

	for (int i = 0; i < 200; i++) {
		p[i].user = sim_users[i % 8];
		schedule_add(s, &p[i], i < 100 ? STR("a") : STR("b"), sim_start_ms);
	}
	sim_answer(s, "a", "sa", sim_start_ms);
	sim_answer(s, "b", "sb", sim_start_ms);
	n = sim_drain(s, sim_start_ms, got, 200);
	cr_assert_eq(n, 2, "one each");
	for (int round = 0; round < 5; round++) {
		for (size_t i = 0; i < n; i++)
			schedule_finished(s, got[i], SCHEDULE_REACHED, NULL, sim_start_ms);
		n = sim_drain(s, sim_start_ms, got, 200);
		schedule_count(s, &totals);
		cr_assert_eq(totals.running, n);
		cr_assert_leq(n, 25);
	}
	cr_assert_geq(n, 18, "two destinations use most of it: %zu", n);
	cr_assert_lt(n, 25, "and leave room");
	schedule_free(&s);
	mem_free(p);
}

/* The destination answers, and has more than one slot from then on. */
static void
prove(struct schedule *s, struct sched_delivery *p, const char *destination, int64_t now_ms)
{
	struct schedule_step step;

	schedule_add(s, p, str_of(destination), now_ms);
	sim_answer(s, destination, destination, now_ms);
	cr_assert_eq(sim_next(s, now_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, step.delivery, SCHEDULE_REACHED, NULL, now_ms);
}

/* A destination with one delivery does not wait for one with thousands, nor a user with one for one
 * with many. */
Test(schedule, fair_between_destinations_and_users)
{
	struct schedule *s = sim_schedule(4, 20);
	struct sched_delivery *p = sim_deliveries(1004);
	struct sched_delivery *got[4];
	size_t n;

	prove(s, &p[1002], "big", sim_start_ms);
	prove(s, &p[1003], "small", sim_start_ms);
	for (int i = 0; i < 1000; i++)
		schedule_add(s, &p[i], STR("big"), sim_start_ms);
	p[1000].user = sim_users[1];
	schedule_add(s, &p[1000], STR("big"), sim_start_ms);
	schedule_add(s, &p[1001], STR("small"), sim_start_ms);
	n = sim_drain(s, sim_start_ms, got, 4);
	cr_assert_geq(n, 3);
	cr_assert_leq(n, 4);
	cr_assert(p[1000].state == DELIVERY_RUNNING, "the user with one message");
	cr_assert(p[1001].state == DELIVERY_RUNNING, "the destination with one message");
	schedule_free(&s);
	mem_free(p);
}

/* 1,000 messages, an unreachable host: one attempt per pause, and all of them when it answers
 * again. */
Test(schedule, probes_an_unreachable_destination)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(1000);
	struct sched_delivery *got[1000];
	int64_t now = sim_start_ms;
	size_t attempts = 0, n;

	for (int i = 0; i < 1000; i++)
		schedule_add(s, &p[i], STR("dead"), now);
	sim_answer(s, "dead", "dead", now);
	n = sim_drain(s, now, got, 1000);
	cr_assert_eq(n, 1, "one before it has ever answered");
	schedule_finished(s, got[0], SCHEDULE_UNREACHABLE, &sim_unreachable, now);
	for (int probe = 0; probe < 10; probe++) {
		struct schedule_step step;

		cr_assert_eq(sim_next(s, now, &step), SCHEDULE_NOTHING);
		cr_assert_eq(delayed(s), (size_t)(999 - probe));
		now += SCHEDULE_PAUSE_MAX_MS;
		n = sim_drain(s, now, got, 1000);
		cr_assert_eq(delayed(s), 0, "the pause is over: %zu", delayed(s));
		attempts += n;
		cr_assert_eq(n, 1, "one probe, not %zu", n);
		if (probe < 9)
			schedule_finished(s, got[0], SCHEDULE_UNREACHABLE, &sim_unreachable, now);
	}
	cr_assert_eq(attempts, 10);
	schedule_finished(s, got[0], SCHEDULE_REACHED, NULL, now);
	for (n = 1; n > 0;) {
		n = sim_drain(s, now, got, 1000);
		attempts += n;
		for (size_t i = 0; i < n; i++)
			schedule_finished(s, got[i], SCHEDULE_REACHED, NULL, now);
	}
	cr_assert_eq(attempts, 1000 - 1);
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, destination_pause_grows_and_is_capped)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(10);
	struct schedule_info info;
	int64_t now = sim_start_ms;
	static const int64_t expected[] = {5 * MINUTE_MS, 15 * MINUTE_MS, 15 * MINUTE_MS};
	struct sched_delivery *got[10];

	for (int i = 0; i < 10; i++)
		schedule_add(s, &p[i], STR("d"), now);
	schedule_next(s, now, &(struct schedule_step){0});
	sim_reported(s, STR("d"), STR("d"), &sim_sent, now);
	for (int i = 0; i < 3; i++) {
		size_t n = sim_drain(s, now, got, 10);

		cr_assert_gt(n, 0);
		for (size_t k = 0; k < n; k++)
			schedule_finished(s, got[k], SCHEDULE_UNREACHABLE, &sim_unreachable, now);
		schedule_explain(s, &p[9], &info);
		cr_assert_eq(info.next_ms - now, expected[i], "%d: %lld", i,
		    (long long)(info.next_ms - now));
		cr_assert_eq(info.status->code, 451);
		now = info.next_ms;
	}
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, backoff_list_last_repeats)
{
	struct schedule *s = sim_schedule(1, 1);

	cr_assert_eq(schedule_backoff_ms(s, 0), sim_retry_ms[0]);
	cr_assert_eq(schedule_backoff_ms(s, 1), sim_retry_ms[0]);
	cr_assert_eq(schedule_backoff_ms(s, 2), sim_retry_ms[1]);
	cr_assert_eq(schedule_backoff_ms(s, 3), sim_retry_ms[2]);
	cr_assert_eq(schedule_backoff_ms(s, 4000), sim_retry_ms[2]);
	schedule_free(&s);
}

Test(schedule, answers_expire)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(3);
	struct schedule_step step;

	schedule_add(s, &p[0], STR("a"), sim_start_ms);
	sim_answer(s, "a", "one", sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, &p[0], SCHEDULE_REACHED, NULL, sim_start_ms);
	schedule_add(s, &p[1], STR("a"), sim_start_ms + 299000);
	cr_assert_eq(sim_next(s, sim_start_ms + 299000, &step), SCHEDULE_DELIVER, "still known");
	cr_assert(str_eq(step.destination, STR("one")));
	cr_assert_eq(sim_next(s, sim_start_ms + 300000, &step), SCHEDULE_NOTHING);
	schedule_add(s, &p[2], STR("a"), sim_start_ms + 300001);
	sim_answer(s, "a", "two", sim_start_ms + 300001);
	cr_assert_eq(sim_next(s, sim_start_ms + 300001, &step), SCHEDULE_DELIVER);
	cr_assert(str_eq(step.destination, STR("two")));
	for (int i = 1; i < 3; i++)
		schedule_finished(s, &p[i], SCHEDULE_REACHED, NULL, sim_start_ms + 300001);
	schedule_free(&s);
	mem_free(p);
}

/* Nothing is kept that is not used any more. */
Test(schedule, frees_what_is_unused)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(1000);
	struct schedule_totals totals;
	struct schedule_step step;
	char name[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "domain%d", i);
		schedule_add(s, &p[i], str_of(name), sim_start_ms);
		sim_answer(s, name, name, sim_start_ms);
		cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_DELIVER);
		schedule_finished(s, &p[i], SCHEDULE_REACHED, NULL, sim_start_ms);
	}
	schedule_count(s, &totals);
	cr_assert_eq(totals.next_hops, 1000);
	cr_assert_eq(sim_next(s, sim_start_ms + 300000, &step), SCHEDULE_NOTHING);
	schedule_count(s, &totals);
	cr_assert_eq(totals.next_hops, 0);
	cr_assert_eq(totals.destinations, 0);
	cr_assert_eq(totals.running, 0);
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, refused_domain_refuses_all)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(4);
	struct schedule_step step;

	for (int i = 0; i < 3; i++)
		schedule_add(s, &p[i], STR("none"), sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_RESOLVE);
	sim_reported(s, STR("none"), STR_NULL, &no_such_domain, sim_start_ms);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_REFUSE);
		cr_assert_eq(step.delivery, &p[i]);
		cr_assert_eq(step.status->code, 550);
	}
	schedule_add(s, &p[3], STR("none"), sim_start_ms + 1000);
	cr_assert_eq(
	    sim_next(s, sim_start_ms + 1000, &step), SCHEDULE_REFUSE, "known without asking");
	cr_assert_eq(sim_next(s, sim_start_ms + 1000, &step), SCHEDULE_NOTHING);
	schedule_free(&s);
	mem_free(p);
}

/* DNS fails: one delivery is deferred, the others wait, all are looked up again together. */
Test(schedule, delayed_domain)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(3);
	struct schedule_step step;
	struct schedule_info info;

	for (int i = 0; i < 3; i++)
		schedule_add(s, &p[i], STR("slow"), sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_RESOLVE);
	sim_reported(s, STR("slow"), STR_NULL, &sim_unreachable, sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_DEFER);
	cr_assert_eq(step.delivery, &p[0]);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_NOTHING);
	schedule_explain(s, &p[1], &info);
	cr_assert_eq(info.next_ms, sim_start_ms + sim_retry_ms[0]);
	cr_assert_eq(sim_next(s, sim_start_ms + sim_retry_ms[0], &step), SCHEDULE_RESOLVE);
	cr_assert_eq(
	    sim_next(s, sim_start_ms + sim_retry_ms[0], &step), SCHEDULE_NOTHING, "asked once");
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, relay_lost_asks_again)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(2);
	struct schedule_step step;

	schedule_add(s, &p[0], STR("a"), sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_RESOLVE);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_NOTHING);
	schedule_relay_lost(s);
	sim_answer(s, "a", "a", sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, &p[0], SCHEDULE_UNKNOWN, NULL, sim_start_ms);
	schedule_running(s, &p[1], STR("a"), STR("a"));
	cr_assert_eq(p[1].state, DELIVERY_RUNNING);
	schedule_finished(s, &p[1], SCHEDULE_REACHED, NULL, sim_start_ms);
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, retry_now_and_remove)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(3);
	struct sched_delivery *got[3];
	struct schedule_step step;

	schedule_add(s, &p[0], STR("a"), sim_start_ms);
	sim_answer(s, "a", "a", sim_start_ms);
	cr_assert_eq(sim_drain(s, sim_start_ms, got, 3), 1);
	schedule_finished(s, &p[0], SCHEDULE_UNREACHABLE, &sim_unreachable, sim_start_ms);
	schedule_add(s, &p[1], STR("a"), sim_start_ms);
	p[2].due_ms = sim_start_ms + HOUR_MS;
	schedule_add(s, &p[2], STR("a"), sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_NOTHING);
	schedule_retry_now(s, &p[1], sim_start_ms);
	schedule_retry_now(s, &p[2], sim_start_ms);
	cr_assert_eq(sim_drain(s, sim_start_ms, got, 3), 1,
	    "a destination that was away is probed with one");
	schedule_remove(s, &p[2]);
	cr_assert_eq(p[2].state, DELIVERY_IDLE);
	schedule_remove(s, &p[1]);
	schedule_free(&s);
	mem_free(p);
}

/* One that waits moves, in whatever state it waits; one that runs does not. */
Test(schedule, another_next_hop)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(4);
	struct sched_delivery *got[4];
	struct schedule_info info;

	p[3].due_ms = sim_start_ms + HOUR_MS;
	for (int i = 0; i < 4; i++)
		schedule_add(s, &p[i], STR("a"), sim_start_ms);
	schedule_redirect(s, &p[0], STR("a"), sim_start_ms);
	sim_answer(s, "a", "sa", sim_start_ms);
	cr_assert_eq(sim_drain(s, sim_start_ms, got, 4), 1);
	cr_assert_eq(got[0], &p[0]);
	for (int i = 0; i < 4; i++)
		schedule_redirect(s, &p[i], STR("b"), sim_start_ms);
	cr_assert(schedule_is_to(&p[0], STR("a")), "it runs");
	cr_assert_eq(p[1].state, DELIVERY_ASKING);
	cr_assert_eq(p[3].state, DELIVERY_WAITING, "not before it is due");
	schedule_explain(s, &p[3], &info);
	cr_assert(str_eq(info.next_hop, STR("b")));
	cr_assert_eq(info.next_ms, sim_start_ms + HOUR_MS);
	sim_answer(s, "b", "sb", sim_start_ms);
	cr_assert_eq(sim_drain(s, sim_start_ms, got, 4), 1);
	cr_assert_eq(got[0], &p[1]);
	cr_assert(str_eq(sched_delivery_destination(&p[1])->name, STR("sb")));
	for (int i = 0; i < 4; i++)
		schedule_remove(s, &p[i]);
	schedule_free(&s);
	mem_free(p);
}

/* A reload that changes every route costs little, however many wait. */
Test(schedule, many_other_next_hops, .timeout = 60)
{
	enum { COUNT = 100000, DESTINATIONS = 5000 };
	struct schedule *s = sim_schedule(500, 10);
	struct sched_delivery *p = sim_deliveries(COUNT);
	struct schedule_totals totals;
	char name[32];

	for (int round = 0; round < 3; round++)
		for (int i = 0; i < COUNT; i++) {
			snprintf(name, sizeof name, "%c%d", 'a' + round, i % DESTINATIONS);
			if (round == 0)
				schedule_add(s, &p[i], str_of(name), sim_start_ms);
			else
				schedule_redirect(s, &p[i], str_of(name), sim_start_ms);
		}
	schedule_count(s, &totals);
	cr_assert_eq(totals.asking, COUNT);
	for (int i = 0; i < COUNT; i++)
		schedule_remove(s, &p[i]);
	schedule_free(&s);
	mem_free(p);
}

/* 100,000 deliveries at 5,000 destinations, each tried up to three times: all come out, and nothing
 * is left.
 */
Test(schedule, many, .timeout = 60)
{
	enum { COUNT = 100000, DESTINATIONS = 5000 };
	struct schedule *s = sim_schedule(500, 10);
	struct sched_delivery *p = sim_deliveries(COUNT);
	size_t done = 0, steps = 0;
	int64_t now = sim_start_ms;
	struct schedule_totals totals;
	char name[32];

	for (int i = 0; i < COUNT; i++) {
		p[i].user = sim_users[i % 8];
		snprintf(name, sizeof name, "d%d", i % DESTINATIONS);
		schedule_add(s, &p[i], str_of(name), now);
	}
	while (done < COUNT) {
		struct schedule_step step;
		char domain[32];

		cr_assert_lt(steps++, 2000000);
		switch (sim_next(s, now, &step)) {
		case SCHEDULE_NOTHING:
			now = schedule_wake_ms(s);
			cr_assert_neq(now, INT64_MAX);
			break;
		case SCHEDULE_RESOLVE:
			sim_reported(s, step.next_hop, step.next_hop, &sim_sent, now);
			break;
		case SCHEDULE_DELIVER:
			snprintf(domain, sizeof domain, "%.*s", STR_ARG(step.next_hop));
			schedule_finished(s, step.delivery, SCHEDULE_REACHED, NULL, now);
			if (step.delivery->tries++ == 2) {
				done++;
				break;
			}
			step.delivery->due_ms = now + schedule_backoff_ms(s, step.delivery->tries);
			schedule_add(s, step.delivery, str_of(domain), now);
			break;
		default:
			cr_assert_fail("unexpected act");
		}
	}
	schedule_count(s, &totals);
	cr_assert_eq(totals.waiting + totals.asking + totals.ready + totals.running, 0);
	schedule_free(&s);
	mem_free(p);
}

/* schedule: the expiry of a message while its destination or its domain is unreachable: its last
 * attempt, and what that attempt means for others. */
#include "base/mem.h"
#include "schedule_sim.h"

/* A delivery to an unreachable destination is given up in time; what can be tried is tried first.
 */
Test(schedule, expiry, .timeout = 60)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(7);
	struct sched_delivery *got[7];
	struct schedule_step step;
	size_t n;
	int64_t now = sim_start_ms;

	for (int i = 0; i < 2; i++) {
		p[i].expires_ms = sim_start_ms + 2 * MINUTE_MS;
		schedule_add(s, &p[i], STR("d"), now);
	}
	sim_answer(s, "d", "d", now);
	n = sim_drain(s, now, got, 7);
	for (size_t i = 0; i < n; i++)
		schedule_finished(s, got[i], SCHEDULE_UNREACHABLE, &sim_unreachable, now);
	schedule_remove(s, &p[1]);
	schedule_add(s, &p[1], STR("d"), now);
	cr_assert_eq(sim_next(s, now + 2 * MINUTE_MS, &step), SCHEDULE_DELIVER, "its last chance");
	cr_assert_eq(step.delivery, &p[1]);
	schedule_finished(s, &p[1], SCHEDULE_UNREACHABLE, &sim_unreachable, now + 2 * MINUTE_MS);
	p[6].expires_ms = sim_start_ms - 1;
	schedule_add(s, &p[6], STR("other"), now);
	sim_answer(s, "other", "other", now + 2 * MINUTE_MS);
	cr_assert_eq(sim_next(s, now + 2 * MINUTE_MS, &step), SCHEDULE_DELIVER,
	    "after a long outage: one attempt");
	schedule_free(&s);
	mem_free(p);
}

/* Deliveries to a destination that a first one found unreachable at sim_start_ms. */
static struct sched_delivery *
deliveries_behind_a_dead_destination(struct schedule *s, size_t count)
{
	struct sched_delivery *p = sim_deliveries(count + 1);
	struct schedule_step step;

	schedule_add(s, &p[count], STR("dead"), sim_start_ms);
	sim_answer(s, "dead", "dead", sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, &p[count], SCHEDULE_UNREACHABLE, &sim_unreachable, sim_start_ms);
	return p;
}

struct last_chances {
	size_t probes, expired, asked;
	int64_t now_ms;
};

/* Advances the time until there is nothing more to do; the host does not answer. */
static void
pass_unreachable(struct schedule *s, int64_t until_ms, struct last_chances *out)
{
	struct schedule_step step;

	while (out->now_ms < until_ms) {
		switch (sim_next(s, out->now_ms, &step)) {
		case SCHEDULE_NOTHING:
			out->now_ms = schedule_wake_ms(s);
			break;
		case SCHEDULE_DELIVER:
			out->probes++;
			schedule_finished(
			    s, step.delivery, SCHEDULE_UNREACHABLE, &sim_unreachable, out->now_ms);
			break;
		case SCHEDULE_EXPIRE:
			out->expired++;
			cr_assert_geq(out->now_ms, step.delivery->expires_ms);
			cr_assert_eq(step.status->code, 451);
			cr_assert_geq(step.found_ms, step.delivery->expires_ms - 30000);
			cr_assert_leq(step.found_ms, out->now_ms);
			break;
		default:
			out->asked++;
			sim_reported(s, STR("dead"), STR("dead"), &sim_sent, out->now_ms);
		}
	}
}

/* A message that came while its destination was paused, and expires before the end of the pause. */
Test(schedule, a_pause_ends_when_a_waiting_delivery_expires)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = deliveries_behind_a_dead_destination(s, 2);
	struct schedule_step step;
	struct schedule_info info;

	p[0].expires_ms = sim_start_ms + 2 * MINUTE_MS;
	for (int i = 0; i < 2; i++)
		schedule_add(s, &p[1 - i], STR("dead"), sim_start_ms + 1000);
	cr_assert_eq(sim_next(s, sim_start_ms + 1000, &step), SCHEDULE_NOTHING);
	schedule_explain(s, &p[0], &info);
	cr_assert_eq(info.next_ms, p[0].expires_ms);
	cr_assert_eq(info.found_ms, sim_start_ms);
	cr_assert_eq(schedule_wake_ms(s), p[0].expires_ms);
	cr_assert_eq(sim_next(s, p[0].expires_ms - 1, &step), SCHEDULE_NOTHING);
	cr_assert_eq(sim_next(s, p[0].expires_ms, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.delivery, &p[0], "not one that came before it");
	cr_assert_eq(sim_next(s, p[0].expires_ms, &step), SCHEDULE_NOTHING);
	schedule_finished(s, &p[0], SCHEDULE_REACHED, NULL, p[0].expires_ms);
	cr_assert_eq(sim_next(s, p[0].expires_ms, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.delivery, &p[1], "the destination is back");
	schedule_free(&s);
	mem_free(p);
}

/* The same for one that waited by itself, and is due at a paused destination at its expiry. */
Test(schedule, a_last_attempt_after_its_own_pause)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = deliveries_behind_a_dead_destination(s, 1);
	struct schedule_step step;

	p[0].due_ms = p[0].expires_ms = sim_start_ms + 2 * MINUTE_MS;
	schedule_add(s, &p[0], STR("dead"), sim_start_ms);
	cr_assert_eq(sim_next(s, p[0].expires_ms, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.delivery, &p[0]);
	schedule_free(&s);
	mem_free(p);
}

/* 8,000 messages that expire together: one probe, and its failure counts for all. */
Test(schedule, one_last_probe_for_all_that_expire, .timeout = 60)
{
	enum { COUNT = 8000 };
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = deliveries_behind_a_dead_destination(s, COUNT);
	struct last_chances got = {.now_ms = sim_start_ms};

	for (int i = 0; i < COUNT; i++) {
		p[i].user = sim_users[i % 8];
		p[i].expires_ms = sim_start_ms + 2 * MINUTE_MS + i;
		schedule_add(s, &p[i], STR("dead"), sim_start_ms);
	}
	pass_unreachable(s, sim_start_ms + 4 * MINUTE_MS, &got);
	cr_assert_eq(got.probes, 1, "%zu probes", got.probes);
	cr_assert_eq(got.expired, COUNT - 1, "%zu", got.expired);
	schedule_free(&s);
	mem_free(p);
}

/* One message expires each second: not each of them makes a probe. */
Test(schedule, last_probes_are_bounded_in_time, .timeout = 60)
{
	enum { COUNT = 600 };
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = deliveries_behind_a_dead_destination(s, COUNT);
	struct last_chances got = {.now_ms = sim_start_ms};

	for (int i = 0; i < COUNT; i++) {
		p[i].expires_ms = sim_start_ms + MINUTE_MS + i * 1000;
		schedule_add(s, &p[i], STR("dead"), sim_start_ms);
	}
	pass_unreachable(s, sim_start_ms + 12 * MINUTE_MS, &got);
	cr_assert_leq(got.probes, 21, "%zu probes in 600 s", got.probes);
	cr_assert_eq(got.expired + got.probes, COUNT, "%zu, %zu", got.expired, got.probes);
	schedule_free(&s);
	mem_free(p);
}

/* The last attempt of one finds that the destination answers: all are delivered, and none is given
 * up. */
Test(schedule, all_are_delivered_when_a_last_attempt_succeeds, .timeout = 60)
{
	enum { COUNT = 8000 };
	struct schedule *s = sim_schedule(500, 20);
	struct sched_delivery *p = deliveries_behind_a_dead_destination(s, COUNT);
	static struct sched_delivery *got[COUNT];
	size_t attempts = 0, n;

	for (int i = 0; i < COUNT; i++) {
		p[i].user = sim_users[i % 8];
		p[i].expires_ms = sim_start_ms + 2 * MINUTE_MS;
		schedule_add(s, &p[i], STR("dead"), sim_start_ms);
	}
	cr_assert_eq(sim_drain(s, sim_start_ms + 2 * MINUTE_MS - 1, got, COUNT), 0);
	while ((n = sim_drain(s, sim_start_ms + 2 * MINUTE_MS, got, COUNT)) > 0) {
		cr_assert_leq(n, attempts ? 20 : 1);
		attempts += n;
		for (size_t i = 0; i < n; i++)
			schedule_finished(
			    s, got[i], SCHEDULE_REACHED, NULL, sim_start_ms + 2 * MINUTE_MS);
	}
	cr_assert_eq(attempts, COUNT, "%zu", attempts);
	schedule_free(&s);
	mem_free(p);
}

/* A failure with a time of a clock that was set back since is no last attempt. */
Test(schedule, a_failure_with_a_future_time_does_not_count)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(2);
	struct schedule_step step;
	int64_t wrong_ms = sim_start_ms + 60 * (int64_t)MINUTE_MS;

	schedule_add(s, &p[1], STR("dead"), wrong_ms);
	sim_answer(s, "dead", "dead", wrong_ms);
	cr_assert_eq(sim_next(s, wrong_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, &p[1], SCHEDULE_UNREACHABLE, &sim_unreachable, wrong_ms);
	p[0].expires_ms = sim_start_ms + 2 * MINUTE_MS;
	schedule_add(s, &p[0], STR("dead"), sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_NOTHING);
	cr_assert_eq(sim_next(s, p[0].expires_ms, &step), SCHEDULE_DELIVER, "its last chance");
	schedule_free(&s);
	mem_free(p);
}

/* A lifetime that was made shorter: at its expiry, or now, it is tried for the last time. */
Test(schedule, a_shorter_lifetime_ends_a_pause)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = deliveries_behind_a_dead_destination(s, 2);
	struct schedule_step step;

	schedule_add(s, &p[0], STR("dead"), sim_start_ms);
	p[1].due_ms = sim_start_ms + 60 * (int64_t)MINUTE_MS;
	schedule_add(s, &p[1], STR("other"), sim_start_ms);
	for (int i = 0; i < 2; i++) {
		p[i].expires_ms = sim_start_ms + (2 - i) * MINUTE_MS;
		schedule_expiry_changed(s, &p[i], sim_start_ms);
	}
	cr_assert_eq(sim_next(s, sim_start_ms + MINUTE_MS - 1, &step), SCHEDULE_NOTHING);
	sim_answer(s, "other", "other", sim_start_ms + MINUTE_MS);
	cr_assert_eq(sim_next(s, sim_start_ms + MINUTE_MS, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.delivery, &p[1]);
	cr_assert_eq(sim_next(s, sim_start_ms + 2 * MINUTE_MS - 1, &step), SCHEDULE_NOTHING);
	cr_assert_eq(sim_next(s, sim_start_ms + 2 * MINUTE_MS, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.delivery, &p[0]);
	schedule_free(&s);
	mem_free(p);
}

/* A domain whose destination could not be found is looked up once more, once for all. */
Test(schedule, one_last_lookup_for_all_that_expire)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = sim_deliveries(10);
	struct schedule_step step;
	int64_t end_ms = sim_start_ms + 2 * MINUTE_MS;

	schedule_add(s, &p[9], STR("slow"), sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_RESOLVE);
	sim_reported(s, STR("slow"), STR_NULL, &sim_unreachable, sim_start_ms);
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_DEFER);
	for (int i = 0; i < 9; i++) {
		p[i].expires_ms = end_ms;
		schedule_add(s, &p[i], STR("slow"), sim_start_ms);
	}
	cr_assert_eq(sim_next(s, sim_start_ms, &step), SCHEDULE_NOTHING);
	cr_assert_eq(schedule_wake_ms(s), end_ms);
	cr_assert_eq(sim_next(s, end_ms, &step), SCHEDULE_RESOLVE);
	cr_assert_eq(sim_next(s, end_ms, &step), SCHEDULE_NOTHING, "asked once");
	sim_reported(s, STR("slow"), STR_NULL, &sim_unreachable, end_ms + 1);
	cr_assert_eq(sim_next(s, end_ms + 1, &step), SCHEDULE_DEFER);
	for (int i = 0; i < 8; i++) {
		cr_assert_eq(sim_next(s, end_ms + MINUTE_MS, &step), SCHEDULE_EXPIRE);
		cr_assert_eq(step.found_ms, end_ms + 1);
	}
	cr_assert_eq(sim_next(s, end_ms + MINUTE_MS, &step), SCHEDULE_NOTHING);
	schedule_free(&s);
	mem_free(p);
}

/* A lifetime that was made longer while the message waited for its destination. */
Test(schedule, a_longer_lifetime_applies_while_the_destination_is_unreachable)
{
	struct schedule *s = sim_schedule(100, 10);
	struct sched_delivery *p = deliveries_behind_a_dead_destination(s, 1);
	struct schedule_step step;

	p[0].expires_ms = sim_start_ms + 2 * MINUTE_MS;
	schedule_add(s, &p[0], STR("dead"), sim_start_ms);
	p[0].expires_ms = sim_start_ms + 4 * MINUTE_MS;
	cr_assert_eq(sim_next(s, sim_start_ms + 2 * MINUTE_MS, &step), SCHEDULE_NOTHING);
	cr_assert_eq(schedule_wake_ms(s), sim_start_ms + 4 * MINUTE_MS);
	schedule_free(&s);
	mem_free(p);
}

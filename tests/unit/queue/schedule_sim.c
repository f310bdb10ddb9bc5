/* schedule_sim: see the header. */
#include "schedule_sim.h"

#include "base/mem.h"

const int64_t sim_start_ms = INT64_C(1795000000000);
const int64_t sim_retry_ms[3] = {5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS};
const struct smtp_status sim_sent = {.code = 250, .class = 2, .text = "fine"};
const struct smtp_status sim_unreachable = {
    .code = 451, .class = 4, .subject = 4, .detail = 1, .text = "away"};
const char sim_users[SIM_USERS][8] = {"u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"};

struct schedule *
sim_schedule(uint32_t concurrency, uint32_t destination_concurrency)
{
	struct schedule_limits limits = {concurrency, destination_concurrency, sim_retry_ms, 3};

	return schedule_new(&limits);
}

struct sched_delivery *
sim_deliveries(size_t count)
{
	struct sched_delivery *p = mem_new(count * sizeof *p);

	for (size_t i = 0; i < count; i++) {
		p[i].user = sim_users[0];
		p[i].due_ms = sim_start_ms;
		p[i].expires_ms = sim_start_ms + 120 * (int64_t)HOUR_MS;
	}
	return p;
}

enum schedule_act
sim_next(struct schedule *s, int64_t now_ms, struct schedule_step *step)
{
	struct schedule_totals totals;

	schedule_next(s, now_ms, step);
	schedule_count(s, &totals);
	cr_assert_leq(totals.delayed, totals.asking + totals.ready, "no more than there are");
	return step->act;
}

void
sim_answer(struct schedule *s, const char *domain, const char *destination, int64_t now_ms)
{
	struct schedule_step step;

	cr_assert_eq(sim_next(s, now_ms, &step), SCHEDULE_RESOLVE);
	cr_assert(str_eq(step.next_hop, str_of(domain)));
	schedule_answered(s, step.next_hop,
	    &(struct schedule_answer){
	        .destination = str_of(destination), .status = &sim_sent, .ttl_s = 300},
	    now_ms);
}

void
sim_reported(struct schedule *s, struct str domain, struct str destination,
    const struct smtp_status *status, int64_t now_ms)
{
	struct schedule_answer answer = {destination, status, 3600};

	schedule_answered(s, domain, &answer, now_ms);
}

size_t
sim_drain(struct schedule *s, int64_t now_ms, struct sched_delivery **out, size_t max)
{
	struct schedule_step step;
	size_t n = 0;

	while (sim_next(s, now_ms, &step) == SCHEDULE_DELIVER) {
		if (n < max)
			out[n] = step.delivery;
		n++;
	}
	cr_assert_eq(step.act, SCHEDULE_NOTHING);
	return n;
}

/* schedule: a simulated clock, parcels without messages, and a relay that answers as told. */
#include "queue/schedule.h"

#include "base/mem.h"
#include "support.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };

static const int64_t start_ms = INT64_C(1795000000000);
static const int64_t retry_ms[] = {5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS};
static const struct status sent = {.code = 250, .class = 2, .text = "fine"};
static const struct status away = {
    .code = 451, .class = 4, .subject = 4, .detail = 1, .text = "away"};
static const struct status no_such_domain = {.code = 550, .class = 5, .subject = 1, .detail = 2};
static const char users[8][8] = {"u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"};

static struct schedule *
make(uint32_t concurrency, uint32_t site_concurrency)
{
	struct schedule_limits limits = {concurrency, site_concurrency, retry_ms, 3};

	return schedule_new(&limits);
}

static struct parcel *
parcels(size_t count)
{
	struct parcel *p = mem_new(count * sizeof *p);

	for (size_t i = 0; i < count; i++) {
		p[i].user = users[0];
		p[i].due_ms = start_ms;
		p[i].expires_ms = start_ms + 120 * (int64_t)HOUR_MS;
	}
	return p;
}

static enum schedule_act
next(struct schedule *s, int64_t now_ms, struct schedule_step *step)
{
	schedule_next(s, now_ms, step);
	return step->act;
}

/* Takes one step that must ask for this domain, and answers. */
static void
answer(struct schedule *s, const char *domain, const char *site, int64_t now_ms)
{
	struct schedule_step step;

	cr_assert_eq(next(s, now_ms, &step), SCHEDULE_ASK);
	cr_assert(str_eq(step.domain, str_of(domain)));
	schedule_answered(s, step.domain,
	    &(struct schedule_answer){.site = str_of(site), .status = &sent, .ttl_s = 300}, now_ms);
}

static void
told(struct schedule *s, struct str domain, struct str site, const struct status *status,
    int64_t now_ms)
{
	struct schedule_answer answer = {site, status, 3600};

	schedule_answered(s, domain, &answer, now_ms);
}

/* Delivers all that may run now; returns how many. */
static size_t
drain(struct schedule *s, int64_t now_ms, struct parcel **out, size_t max)
{
	struct schedule_step step;
	size_t n = 0;

	while (next(s, now_ms, &step) == SCHEDULE_DELIVER) {
		if (n < max)
			out[n] = step.parcel;
		n++;
	}
	cr_assert_eq(step.act, SCHEDULE_NOTHING);
	return n;
}

Test(schedule, asks_once_and_delivers)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(3);
	struct parcel *got[10];

	for (int i = 0; i < 3; i++)
		schedule_add(s, &p[i], STR("example.net"), start_ms);
	answer(s, "example.net", "mx", start_ms);
	cr_assert_eq(drain(s, start_ms, got, 10), 1);
	cr_assert_eq(got[0], &p[0]);
	cr_assert_eq(p[0].state, PARCEL_RUNNING);
	schedule_finished(s, &p[0], SCHEDULE_REACHED, NULL, start_ms);
	cr_assert_eq(p[0].state, PARCEL_IDLE);
	cr_assert_eq(drain(s, start_ms, got, 10), 2, "it answered: all that are left");
	cr_assert_eq(got[0], &p[1]);
	cr_assert_eq(got[1], &p[2]);
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, waits_until_due)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(1);
	struct schedule_step step;

	p->due_ms = start_ms + 1000;
	schedule_add(s, p, STR("a"), start_ms);
	cr_assert_eq(next(s, start_ms + 999, &step), SCHEDULE_NOTHING);
	cr_assert_eq(schedule_wake_ms(s), start_ms + 1000);
	cr_assert_eq(next(s, start_ms + 1000, &step), SCHEDULE_ASK);
	schedule_free(&s);
	mem_free(p);
}

/* The window opens with success, up to the limit, and never beyond. */
Test(schedule, window_opens_with_answers)
{
	static const size_t expected[] = {1, SCHEDULE_WINDOW_START, 10, 20, 20, 20};
	struct schedule *s = make(500, 20);
	struct parcel *p = parcels(200);
	struct parcel *got[200];

	for (int i = 0; i < 200; i++)
		schedule_add(s, &p[i], STR("a"), start_ms);
	answer(s, "a", "sa", start_ms);
	for (size_t round = 0; round < sizeof expected / sizeof *expected; round++) {
		size_t n = drain(s, start_ms, got, 200);

		cr_assert_eq(n, expected[round], "round %zu: %zu", round, n);
		for (size_t i = 0; i < n; i++)
			schedule_finished(s, got[i], SCHEDULE_REACHED, NULL, start_ms);
	}
	schedule_free(&s);
	mem_free(p);
}

/* The overall limit holds, and no site gets all of it. */
Test(schedule, concurrency)
{
	struct schedule *s = make(25, 25);
	struct parcel *p = parcels(200);
	struct parcel *got[200];
	struct schedule_totals totals;
	size_t n;

	for (int i = 0; i < 200; i++) {
		p[i].user = users[i % 8];
		schedule_add(s, &p[i], i < 100 ? STR("a") : STR("b"), start_ms);
	}
	answer(s, "a", "sa", start_ms);
	answer(s, "b", "sb", start_ms);
	n = drain(s, start_ms, got, 200);
	cr_assert_eq(n, 2, "one each");
	for (int round = 0; round < 5; round++) {
		for (size_t i = 0; i < n; i++)
			schedule_finished(s, got[i], SCHEDULE_REACHED, NULL, start_ms);
		n = drain(s, start_ms, got, 200);
		schedule_count(s, &totals);
		cr_assert_eq(totals.running, n);
		cr_assert_leq(n, 25);
	}
	cr_assert_geq(n, 18, "two sites use most of it: %zu", n);
	cr_assert_lt(n, 25, "and leave room");
	schedule_free(&s);
	mem_free(p);
}

/* The site answers, and from then on has more than one slot. */
static void
prove(struct schedule *s, struct parcel *p, const char *site, int64_t now_ms)
{
	struct schedule_step step;

	schedule_add(s, p, str_of(site), now_ms);
	answer(s, site, site, now_ms);
	cr_assert_eq(next(s, now_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, step.parcel, SCHEDULE_REACHED, NULL, now_ms);
}

/* A site with one parcel is not behind a site with thousands, nor a user with one behind one with
 * many. */
Test(schedule, fair_between_sites_and_users)
{
	struct schedule *s = make(4, 20);
	struct parcel *p = parcels(1004);
	struct parcel *got[4];
	size_t n;

	prove(s, &p[1002], "big", start_ms);
	prove(s, &p[1003], "small", start_ms);
	for (int i = 0; i < 1000; i++)
		schedule_add(s, &p[i], STR("big"), start_ms);
	p[1000].user = users[1];
	schedule_add(s, &p[1000], STR("big"), start_ms);
	schedule_add(s, &p[1001], STR("small"), start_ms);
	n = drain(s, start_ms, got, 4);
	cr_assert_geq(n, 3);
	cr_assert_leq(n, 4);
	cr_assert(p[1000].state == PARCEL_RUNNING, "the user with one message");
	cr_assert(p[1001].state == PARCEL_RUNNING, "the site with one message");
	schedule_free(&s);
	mem_free(p);
}

/* 1,000 messages, a dead host: one attempt per pause, and all of them when it lives again. */
Test(schedule, probes_a_dead_site)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(1000);
	struct parcel *got[1000];
	int64_t now = start_ms;
	size_t attempts = 0, n;

	for (int i = 0; i < 1000; i++)
		schedule_add(s, &p[i], STR("dead"), now);
	answer(s, "dead", "dead", now);
	n = drain(s, now, got, 1000);
	cr_assert_eq(n, 1, "one before it has ever answered");
	schedule_finished(s, got[0], SCHEDULE_AWAY, &away, now);
	for (int probe = 0; probe < 10; probe++) {
		struct schedule_step step;

		cr_assert_eq(next(s, now, &step), SCHEDULE_NOTHING);
		now += SCHEDULE_PAUSE_MAX_MS;
		n = drain(s, now, got, 1000);
		attempts += n;
		cr_assert_eq(n, 1, "one probe, not %zu", n);
		if (probe < 9)
			schedule_finished(s, got[0], SCHEDULE_AWAY, &away, now);
	}
	cr_assert_eq(attempts, 10);
	schedule_finished(s, got[0], SCHEDULE_REACHED, NULL, now);
	for (n = 1; n > 0;) {
		n = drain(s, now, got, 1000);
		attempts += n;
		for (size_t i = 0; i < n; i++)
			schedule_finished(s, got[i], SCHEDULE_REACHED, NULL, now);
	}
	cr_assert_eq(attempts, 1000 - 1);
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, site_pause_grows_and_is_capped)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(10);
	struct schedule_info info;
	int64_t now = start_ms;
	static const int64_t expected[] = {5 * MINUTE_MS, 15 * MINUTE_MS, 15 * MINUTE_MS};
	struct parcel *got[10];

	for (int i = 0; i < 10; i++)
		schedule_add(s, &p[i], STR("d"), now);
	schedule_next(s, now, &(struct schedule_step){0});
	told(s, STR("d"), STR("d"), &sent, now);
	for (int i = 0; i < 3; i++) {
		size_t n = drain(s, now, got, 10);

		cr_assert_gt(n, 0);
		for (size_t k = 0; k < n; k++)
			schedule_finished(s, got[k], SCHEDULE_AWAY, &away, now);
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
	struct schedule *s = make(1, 1);

	cr_assert_eq(schedule_backoff_ms(s, 0), retry_ms[0]);
	cr_assert_eq(schedule_backoff_ms(s, 1), retry_ms[0]);
	cr_assert_eq(schedule_backoff_ms(s, 2), retry_ms[1]);
	cr_assert_eq(schedule_backoff_ms(s, 3), retry_ms[2]);
	cr_assert_eq(schedule_backoff_ms(s, 4000), retry_ms[2]);
	schedule_free(&s);
}

Test(schedule, answers_age)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(3);
	struct schedule_step step;

	schedule_add(s, &p[0], STR("a"), start_ms);
	answer(s, "a", "one", start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, &p[0], SCHEDULE_REACHED, NULL, start_ms);
	schedule_add(s, &p[1], STR("a"), start_ms + 299000);
	cr_assert_eq(next(s, start_ms + 299000, &step), SCHEDULE_DELIVER, "still known");
	cr_assert(str_eq(step.site, STR("one")));
	cr_assert_eq(next(s, start_ms + 300000, &step), SCHEDULE_NOTHING);
	schedule_add(s, &p[2], STR("a"), start_ms + 300001);
	answer(s, "a", "two", start_ms + 300001);
	cr_assert_eq(next(s, start_ms + 300001, &step), SCHEDULE_DELIVER);
	cr_assert(str_eq(step.site, STR("two")));
	for (int i = 1; i < 3; i++)
		schedule_finished(s, &p[i], SCHEDULE_REACHED, NULL, start_ms + 300001);
	schedule_free(&s);
	mem_free(p);
}

/* Nothing is kept of what is not used any more. */
Test(schedule, forgets)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(1000);
	struct schedule_totals totals;
	struct schedule_step step;
	char name[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "domain%d", i);
		schedule_add(s, &p[i], str_of(name), start_ms);
		answer(s, name, name, start_ms);
		cr_assert_eq(next(s, start_ms, &step), SCHEDULE_DELIVER);
		schedule_finished(s, &p[i], SCHEDULE_REACHED, NULL, start_ms);
	}
	schedule_count(s, &totals);
	cr_assert_eq(totals.destinations, 1000);
	cr_assert_eq(next(s, start_ms + 300000, &step), SCHEDULE_NOTHING);
	schedule_count(s, &totals);
	cr_assert_eq(totals.destinations, 0);
	cr_assert_eq(totals.sites, 0);
	cr_assert_eq(totals.running, 0);
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, refused_domain_refuses_all)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(4);
	struct schedule_step step;

	for (int i = 0; i < 3; i++)
		schedule_add(s, &p[i], STR("none"), start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_ASK);
	told(s, STR("none"), STR_NULL, &no_such_domain, start_ms);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(next(s, start_ms, &step), SCHEDULE_REFUSE);
		cr_assert_eq(step.parcel, &p[i]);
		cr_assert_eq(step.status->code, 550);
	}
	schedule_add(s, &p[3], STR("none"), start_ms + 1000);
	cr_assert_eq(next(s, start_ms + 1000, &step), SCHEDULE_REFUSE, "known without asking");
	cr_assert_eq(next(s, start_ms + 1000, &step), SCHEDULE_NOTHING);
	schedule_free(&s);
	mem_free(p);
}

/* DNS that is away: one parcel is told, the others wait, all are asked for again together. */
Test(schedule, delayed_domain)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(3);
	struct schedule_step step;
	struct schedule_info info;

	for (int i = 0; i < 3; i++)
		schedule_add(s, &p[i], STR("slow"), start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_ASK);
	told(s, STR("slow"), STR_NULL, &away, start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_DEFER);
	cr_assert_eq(step.parcel, &p[0]);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_NOTHING);
	schedule_explain(s, &p[1], &info);
	cr_assert_eq(info.next_ms, start_ms + retry_ms[0]);
	cr_assert_eq(next(s, start_ms + retry_ms[0], &step), SCHEDULE_ASK);
	cr_assert_eq(next(s, start_ms + retry_ms[0], &step), SCHEDULE_NOTHING, "asked once");
	schedule_free(&s);
	mem_free(p);
}

/* What waits for a site that is away is given up in time; what could be tried is tried first. */
Test(schedule, expiry, .timeout = 60)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(7);
	struct parcel *got[7];
	struct schedule_step step;
	size_t n;
	int64_t now = start_ms;

	for (int i = 0; i < 2; i++) {
		p[i].expires_ms = start_ms + 2 * MINUTE_MS;
		schedule_add(s, &p[i], STR("d"), now);
	}
	answer(s, "d", "d", now);
	n = drain(s, now, got, 7);
	for (size_t i = 0; i < n; i++)
		schedule_finished(s, got[i], SCHEDULE_AWAY, &away, now);
	schedule_remove(s, &p[1]);
	schedule_add(s, &p[1], STR("d"), now);
	cr_assert_eq(next(s, now + 2 * MINUTE_MS, &step), SCHEDULE_DELIVER, "its last chance");
	cr_assert_eq(step.parcel, &p[1]);
	schedule_finished(s, &p[1], SCHEDULE_AWAY, &away, now + 2 * MINUTE_MS);
	p[6].expires_ms = start_ms - 1;
	schedule_add(s, &p[6], STR("other"), now);
	answer(s, "other", "other", now + 2 * MINUTE_MS);
	cr_assert_eq(next(s, now + 2 * MINUTE_MS, &step), SCHEDULE_DELIVER,
	    "after a long outage: one attempt");
	schedule_free(&s);
	mem_free(p);
}

/* Parcels at a site that a first one found away at start_ms. */
static struct parcel *
parcels_behind_a_dead_site(struct schedule *s, size_t count)
{
	struct parcel *p = parcels(count + 1);
	struct schedule_step step;

	schedule_add(s, &p[count], STR("dead"), start_ms);
	answer(s, "dead", "dead", start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, &p[count], SCHEDULE_AWAY, &away, start_ms);
	return p;
}

struct last_chances {
	size_t probes, expired, asked;
	int64_t now_ms;
};

/* Lets time pass until it has nothing more to do; the host does not answer. */
static void
pass_away(struct schedule *s, int64_t until_ms, struct last_chances *out)
{
	struct schedule_step step;

	while (out->now_ms < until_ms) {
		switch (next(s, out->now_ms, &step)) {
		case SCHEDULE_NOTHING:
			out->now_ms = schedule_wake_ms(s);
			break;
		case SCHEDULE_DELIVER:
			out->probes++;
			schedule_finished(s, step.parcel, SCHEDULE_AWAY, &away, out->now_ms);
			break;
		case SCHEDULE_EXPIRE:
			out->expired++;
			cr_assert_geq(out->now_ms, step.parcel->expires_ms);
			cr_assert_eq(step.status->code, 451);
			cr_assert_geq(step.found_ms, step.parcel->expires_ms - 30000);
			cr_assert_leq(step.found_ms, out->now_ms);
			break;
		default:
			out->asked++;
			told(s, STR("dead"), STR("dead"), &sent, out->now_ms);
		}
	}
}

/* A message that came while its site was paused, and whose time ends before the pause. */
Test(schedule, a_pause_ends_with_the_life_of_what_waits)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels_behind_a_dead_site(s, 2);
	struct schedule_step step;
	struct schedule_info info;

	p[0].expires_ms = start_ms + 2 * MINUTE_MS;
	for (int i = 0; i < 2; i++)
		schedule_add(s, &p[1 - i], STR("dead"), start_ms + 1000);
	cr_assert_eq(next(s, start_ms + 1000, &step), SCHEDULE_NOTHING);
	schedule_explain(s, &p[0], &info);
	cr_assert_eq(info.next_ms, p[0].expires_ms);
	cr_assert_eq(info.found_ms, start_ms);
	cr_assert_eq(schedule_wake_ms(s), p[0].expires_ms);
	cr_assert_eq(next(s, p[0].expires_ms - 1, &step), SCHEDULE_NOTHING);
	cr_assert_eq(next(s, p[0].expires_ms, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.parcel, &p[0], "not one that came before it");
	cr_assert_eq(next(s, p[0].expires_ms, &step), SCHEDULE_NOTHING);
	schedule_finished(s, &p[0], SCHEDULE_REACHED, NULL, p[0].expires_ms);
	cr_assert_eq(next(s, p[0].expires_ms, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.parcel, &p[1], "the site is back");
	schedule_free(&s);
	mem_free(p);
}

/* The same for one that waited by itself, and comes to a paused site at its end. */
Test(schedule, a_last_chance_after_a_pause_of_its_own)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels_behind_a_dead_site(s, 1);
	struct schedule_step step;

	p[0].due_ms = p[0].expires_ms = start_ms + 2 * MINUTE_MS;
	schedule_add(s, &p[0], STR("dead"), start_ms);
	cr_assert_eq(next(s, p[0].expires_ms, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.parcel, &p[0]);
	schedule_free(&s);
	mem_free(p);
}

/* 8,000 messages whose time ends together: one probe, and its finding counts for all. */
Test(schedule, one_last_probe_for_all_that_expire, .timeout = 60)
{
	enum { COUNT = 8000 };
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels_behind_a_dead_site(s, COUNT);
	struct last_chances got = {.now_ms = start_ms};

	for (int i = 0; i < COUNT; i++) {
		p[i].user = users[i % 8];
		p[i].expires_ms = start_ms + 2 * MINUTE_MS + i;
		schedule_add(s, &p[i], STR("dead"), start_ms);
	}
	pass_away(s, start_ms + 4 * MINUTE_MS, &got);
	cr_assert_eq(got.probes, 1, "%zu probes", got.probes);
	cr_assert_eq(got.expired, COUNT - 1, "%zu", got.expired);
	schedule_free(&s);
	mem_free(p);
}

/* One message a second comes to its end: not a probe for each. */
Test(schedule, last_probes_are_bounded_in_time, .timeout = 60)
{
	enum { COUNT = 600 };
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels_behind_a_dead_site(s, COUNT);
	struct last_chances got = {.now_ms = start_ms};

	for (int i = 0; i < COUNT; i++) {
		p[i].expires_ms = start_ms + MINUTE_MS + i * 1000;
		schedule_add(s, &p[i], STR("dead"), start_ms);
	}
	pass_away(s, start_ms + 12 * MINUTE_MS, &got);
	cr_assert_leq(got.probes, 21, "%zu probes in 600 s", got.probes);
	cr_assert_eq(got.expired + got.probes, COUNT, "%zu, %zu", got.expired, got.probes);
	schedule_free(&s);
	mem_free(p);
}

/* The last chance of one finds the site back: all go, and none is given up. */
Test(schedule, all_go_when_a_last_chance_finds_the_site_back, .timeout = 60)
{
	enum { COUNT = 8000 };
	struct schedule *s = make(500, 20);
	struct parcel *p = parcels_behind_a_dead_site(s, COUNT);
	static struct parcel *got[COUNT];
	size_t attempts = 0, n;

	for (int i = 0; i < COUNT; i++) {
		p[i].user = users[i % 8];
		p[i].expires_ms = start_ms + 2 * MINUTE_MS;
		schedule_add(s, &p[i], STR("dead"), start_ms);
	}
	cr_assert_eq(drain(s, start_ms + 2 * MINUTE_MS - 1, got, COUNT), 0);
	while ((n = drain(s, start_ms + 2 * MINUTE_MS, got, COUNT)) > 0) {
		cr_assert_leq(n, attempts ? 20 : 1);
		attempts += n;
		for (size_t i = 0; i < n; i++)
			schedule_finished(
			    s, got[i], SCHEDULE_REACHED, NULL, start_ms + 2 * MINUTE_MS);
	}
	cr_assert_eq(attempts, COUNT, "%zu", attempts);
	schedule_free(&s);
	mem_free(p);
}

/* What was found out by a clock that was set back since is no last chance. */
Test(schedule, a_finding_from_the_future_does_not_count)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(2);
	struct schedule_step step;
	int64_t wrong_ms = start_ms + 60 * (int64_t)MINUTE_MS;

	schedule_add(s, &p[1], STR("dead"), wrong_ms);
	answer(s, "dead", "dead", wrong_ms);
	cr_assert_eq(next(s, wrong_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, &p[1], SCHEDULE_AWAY, &away, wrong_ms);
	p[0].expires_ms = start_ms + 2 * MINUTE_MS;
	schedule_add(s, &p[0], STR("dead"), start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_NOTHING);
	cr_assert_eq(next(s, p[0].expires_ms, &step), SCHEDULE_DELIVER, "its last chance");
	schedule_free(&s);
	mem_free(p);
}

/* A lifetime that was made shorter: at its end, or now, it is tried for the last time. */
Test(schedule, a_shorter_life_ends_a_pause)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels_behind_a_dead_site(s, 2);
	struct schedule_step step;

	schedule_add(s, &p[0], STR("dead"), start_ms);
	p[1].due_ms = start_ms + 60 * (int64_t)MINUTE_MS;
	schedule_add(s, &p[1], STR("other"), start_ms);
	for (int i = 0; i < 2; i++) {
		p[i].expires_ms = start_ms + (2 - i) * MINUTE_MS;
		schedule_live(s, &p[i], start_ms);
	}
	cr_assert_eq(next(s, start_ms + MINUTE_MS - 1, &step), SCHEDULE_NOTHING);
	answer(s, "other", "other", start_ms + MINUTE_MS);
	cr_assert_eq(next(s, start_ms + MINUTE_MS, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.parcel, &p[1]);
	cr_assert_eq(next(s, start_ms + 2 * MINUTE_MS - 1, &step), SCHEDULE_NOTHING);
	cr_assert_eq(next(s, start_ms + 2 * MINUTE_MS, &step), SCHEDULE_DELIVER);
	cr_assert_eq(step.parcel, &p[0]);
	schedule_free(&s);
	mem_free(p);
}

/* A domain whose site could not be found is asked for once more, once for all. */
Test(schedule, a_last_question_for_all_that_expire)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(10);
	struct schedule_step step;
	int64_t end_ms = start_ms + 2 * MINUTE_MS;

	schedule_add(s, &p[9], STR("slow"), start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_ASK);
	told(s, STR("slow"), STR_NULL, &away, start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_DEFER);
	for (int i = 0; i < 9; i++) {
		p[i].expires_ms = end_ms;
		schedule_add(s, &p[i], STR("slow"), start_ms);
	}
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_NOTHING);
	cr_assert_eq(schedule_wake_ms(s), end_ms);
	cr_assert_eq(next(s, end_ms, &step), SCHEDULE_ASK);
	cr_assert_eq(next(s, end_ms, &step), SCHEDULE_NOTHING, "asked once");
	told(s, STR("slow"), STR_NULL, &away, end_ms + 1);
	cr_assert_eq(next(s, end_ms + 1, &step), SCHEDULE_DEFER);
	for (int i = 0; i < 8; i++) {
		cr_assert_eq(next(s, end_ms + MINUTE_MS, &step), SCHEDULE_EXPIRE);
		cr_assert_eq(step.found_ms, end_ms + 1);
	}
	cr_assert_eq(next(s, end_ms + MINUTE_MS, &step), SCHEDULE_NOTHING);
	schedule_free(&s);
	mem_free(p);
}

/* A lifetime that was made longer while the message waited for its site. */
Test(schedule, a_longer_life_is_seen_while_the_site_is_away)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels_behind_a_dead_site(s, 1);
	struct schedule_step step;

	p[0].expires_ms = start_ms + 2 * MINUTE_MS;
	schedule_add(s, &p[0], STR("dead"), start_ms);
	p[0].expires_ms = start_ms + 4 * MINUTE_MS;
	cr_assert_eq(next(s, start_ms + 2 * MINUTE_MS, &step), SCHEDULE_NOTHING);
	cr_assert_eq(schedule_wake_ms(s), start_ms + 4 * MINUTE_MS);
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, relay_lost_asks_again)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(2);
	struct schedule_step step;

	schedule_add(s, &p[0], STR("a"), start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_ASK);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_NOTHING);
	schedule_relay_lost(s);
	answer(s, "a", "a", start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_DELIVER);
	schedule_finished(s, &p[0], SCHEDULE_LOST, NULL, start_ms);
	schedule_running(s, &p[1], STR("a"), STR("a"));
	cr_assert_eq(p[1].state, PARCEL_RUNNING);
	schedule_finished(s, &p[1], SCHEDULE_REACHED, NULL, start_ms);
	schedule_free(&s);
	mem_free(p);
}

Test(schedule, hurry_and_remove)
{
	struct schedule *s = make(100, 10);
	struct parcel *p = parcels(3);
	struct parcel *got[3];
	struct schedule_step step;

	schedule_add(s, &p[0], STR("a"), start_ms);
	answer(s, "a", "a", start_ms);
	cr_assert_eq(drain(s, start_ms, got, 3), 1);
	schedule_finished(s, &p[0], SCHEDULE_AWAY, &away, start_ms);
	schedule_add(s, &p[1], STR("a"), start_ms);
	p[2].due_ms = start_ms + HOUR_MS;
	schedule_add(s, &p[2], STR("a"), start_ms);
	cr_assert_eq(next(s, start_ms, &step), SCHEDULE_NOTHING);
	schedule_hurry(s, &p[1], start_ms);
	schedule_hurry(s, &p[2], start_ms);
	cr_assert_eq(drain(s, start_ms, got, 3), 1, "a site that was away is probed with one");
	schedule_remove(s, &p[2]);
	cr_assert_eq(p[2].state, PARCEL_IDLE);
	schedule_remove(s, &p[1]);
	schedule_free(&s);
	mem_free(p);
}

/* 100,000 parcels at 5,000 sites, each tried up to three times: all come out, and nothing is left.
 */
Test(schedule, many, .timeout = 60)
{
	enum { COUNT = 100000, SITES = 5000 };
	struct schedule *s = make(500, 10);
	struct parcel *p = parcels(COUNT);
	size_t done = 0, steps = 0;
	int64_t now = start_ms;
	struct schedule_totals totals;
	char name[32];

	for (int i = 0; i < COUNT; i++) {
		p[i].user = users[i % 8];
		snprintf(name, sizeof name, "d%d", i % SITES);
		schedule_add(s, &p[i], str_of(name), now);
	}
	while (done < COUNT) {
		struct schedule_step step;
		char domain[32];

		cr_assert_lt(steps++, 2000000);
		switch (next(s, now, &step)) {
		case SCHEDULE_NOTHING:
			now = schedule_wake_ms(s);
			cr_assert_neq(now, INT64_MAX);
			break;
		case SCHEDULE_ASK:
			told(s, step.domain, step.domain, &sent, now);
			break;
		case SCHEDULE_DELIVER:
			snprintf(domain, sizeof domain, "%.*s", STR_ARG(step.domain));
			schedule_finished(s, step.parcel, SCHEDULE_REACHED, NULL, now);
			if (step.parcel->tries++ == 2) {
				done++;
				break;
			}
			step.parcel->due_ms = now + schedule_backoff_ms(s, step.parcel->tries);
			schedule_add(s, step.parcel, str_of(domain), now);
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

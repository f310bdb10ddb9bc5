/* slots: which users and destinations get how many slots, with a simulated clock: hosts that are
 * silent or slow, users that send to them, and a user who does not. */
#include "base/mem.h"
#include "queue/schedule/schedule.h"
#include "support.h"

enum { CONCURRENCY = 500, WINDOW = 10, SECOND_MS = 1000, STEP_MS = 10, USERS_MAX = 1000 };

static const int64_t start_ms = INT64_C(1795000000000);
static const int64_t retry_ms[] = {300 * SECOND_MS, 900 * SECOND_MS};
static const struct smtp_status silent = {.code = 451, .class = 4, .subject = 4, .text = "silent"};
static const char users[USERS_MAX];

/* One delivery and its result. */
struct mail {
	struct sched_delivery sched;
	char domain[32];
	int64_t takes_ms;
	enum schedule_outcome outcome;
	int64_t began_ms, ends_ms; /* 0: not begun; INT64_MAX: ended */
};

struct world {
	struct schedule *s;
	struct mail *mails;
	size_t count, cap;
	struct mail *running[CONCURRENCY];
	size_t running_count;
	int64_t now_ms;
};

static void
world_open(struct world *w, size_t cap)
{
	struct schedule_limits limits = {CONCURRENCY, WINDOW, retry_ms, 2};

	*w = (struct world){.s = schedule_new(&limits), .cap = cap, .now_ms = start_ms};
	w->mails = mem_new(cap * sizeof *w->mails);
}

static void
world_close(struct world *w)
{
	schedule_free(&w->s);
	mem_free(w->mails);
}

static struct mail *
world_mail(struct world *w, unsigned user, const char *destination, unsigned number)
{
	struct mail *m = &w->mails[w->count++];

	cr_assert_leq(w->count, w->cap);
	snprintf(m->domain, sizeof m->domain, "%s%u.test", destination, number);
	m->sched.user = &users[user];
	m->sched.due_ms = w->now_ms;
	m->sched.expires_ms = w->now_ms + 432000 * (int64_t)SECOND_MS;
	m->takes_ms = 100;
	m->outcome = SCHEDULE_REACHED;
	schedule_add(w->s, &m->sched, str_of(m->domain), w->now_ms);
	return m;
}

/* Accepts connections and never answers. */
static void
world_silent(struct world *w, unsigned user, const char *destination, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mail *m = world_mail(w, user, destination, i);

		m->takes_ms = 300 * SECOND_MS;
		m->outcome = SCHEDULE_UNREACHABLE;
	}
}

/* Begins all that may begin now. */
static void
world_begin(struct world *w)
{
	struct schedule_step step;

	for (schedule_next(w->s, w->now_ms, &step); step.act != SCHEDULE_NOTHING;
	     schedule_next(w->s, w->now_ms, &step)) {
		if (step.act == SCHEDULE_RESOLVE) {
			struct schedule_answer a = {.destination = step.next_hop, .ttl_s = 3600};

			schedule_answered(w->s, step.next_hop, &a, w->now_ms);
		} else {
			struct mail *m = (struct mail *)step.delivery;

			cr_assert_eq(step.act, SCHEDULE_DELIVER);
			cr_assert_lt(w->running_count, CONCURRENCY);
			m->began_ms = w->now_ms;
			m->ends_ms = w->now_ms + m->takes_ms;
			w->running[w->running_count++] = m;
		}
	}
	cr_assert_gt(schedule_wake_ms(w->s), w->now_ms, "nothing to do, and it is said so");
}

static void
world_end_due(struct world *w)
{
	for (size_t i = 0; i < w->running_count;) {
		struct mail *m = w->running[i];

		if (m->ends_ms > w->now_ms) {
			i++;
			continue;
		}
		m->ends_ms = INT64_MAX;
		schedule_finished(w->s, &m->sched, m->outcome, &silent, w->now_ms);
		w->running[i] = w->running[--w->running_count];
	}
}

static void
world_pass(struct world *w, int64_t ms)
{
	for (int64_t end = w->now_ms + ms; w->now_ms < end; w->now_ms += STEP_MS) {
		world_end_due(w);
		world_begin(w);
	}
}

static size_t
world_held(const struct world *w, unsigned user)
{
	size_t n = 0;

	for (size_t i = 0; i < w->running_count; i++)
		n += w->running[i]->sched.user == &users[user];
	return n;
}

static size_t
world_unproven(const struct world *w)
{
	struct schedule_totals totals;

	schedule_count(w->s, &totals);
	return totals.running_unproven;
}

/* 1,000 silent hosts of one user get a third of the half; mail of the other user to unknown hosts
 * ends within 5 s, whoever came first. */
Test(slots, silent_hosts_leave_room_for_others)
{
	enum { HEALTHY = 500 };
	struct world w;
	struct mail *bobs;

	world_open(&w, 1000 + HEALTHY);
	world_silent(&w, 0, "silent", 1000);
	world_pass(&w, 10 * SECOND_MS);
	cr_assert_eq(world_held(&w, 0), CONCURRENCY / 2 / 3 + 1, "%zu", world_held(&w, 0));
	bobs = &w.mails[w.count];
	for (unsigned i = 0; i < HEALTHY; i++)
		world_mail(&w, 1, "healthy", i);
	world_pass(&w, 5 * SECOND_MS);
	for (unsigned i = 0; i < HEALTHY; i++)
		cr_assert_eq(bobs[i].ends_ms, INT64_MAX, "%u is not over", i);
	world_close(&w);
}

/* The same user's own mail to hosts that answered before does not wait either. */
Test(slots, silent_hosts_do_not_delay_hosts_that_answer)
{
	struct world w;
	struct mail *m;

	world_open(&w, 1200);
	world_mail(&w, 0, "healthy", 1);
	world_pass(&w, SECOND_MS);
	world_silent(&w, 0, "silent", 1000);
	world_pass(&w, SECOND_MS);
	m = &w.mails[w.count];
	for (int i = 0; i < 100; i++)
		world_mail(&w, 0, "healthy", 1);
	world_pass(&w, 3 * SECOND_MS);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(m[i].ends_ms, INT64_MAX);
	world_close(&w);
}

/* Ten users with silent hosts: all such hosts use at most half, and a new user begins at once. */
Test(slots, many_users_of_silent_hosts)
{
	struct world w;
	struct mail *m;
	char name[16];

	world_open(&w, 10 * 300 + 20);
	for (unsigned user = 0; user < 10; user++) {
		snprintf(name, sizeof name, "s%u-", user);
		world_silent(&w, user, name, 300);
		world_pass(&w, SECOND_MS);
	}
	cr_assert_leq(world_unproven(&w), CONCURRENCY / 2);
	cr_assert_eq(world_unproven(&w), w.running_count);
	m = world_mail(&w, 20, "healthy", 1);
	world_pass(&w, SECOND_MS);
	cr_assert_eq(m->began_ms - m->sched.due_ms, 0);
	world_close(&w);
}

/* Hosts that answered once and became silent use one slot each, and count among the silent ones. */
Test(slots, hosts_that_become_silent)
{
	struct world w;

	world_open(&w, 100 * 40);
	for (unsigned i = 0; i < 100; i++)
		world_mail(&w, i % 4, "tarpit", i);
	world_pass(&w, SECOND_MS);
	for (unsigned i = 0; i < 3000; i++) {
		struct mail *m = world_mail(&w, i % 4, "tarpit", i % 100);

		m->takes_ms = 60 * SECOND_MS;
		m->outcome = SCHEDULE_SILENT;
	}
	world_pass(&w, SECOND_MS);
	cr_assert_gt(w.running_count, 200, "they have opened up: %zu", w.running_count);
	cr_assert_leq(w.running_count, 450);
	cr_assert_eq(world_unproven(&w), 0);
	world_pass(&w, 61 * SECOND_MS);
	cr_assert_leq(w.running_count, 100, "one each: %zu", w.running_count);
	cr_assert_eq(world_unproven(&w), w.running_count);
	world_close(&w);
}

/* 50 slow hosts that answer, mail of 50 users for each: others always find room. */
Test(slots, slow_hosts_leave_room)
{
	struct world w;
	struct mail *m;

	world_open(&w, 50 * 100 + 100);
	for (unsigned i = 0; i < 50 * 100; i++)
		world_mail(&w, i / 50 % 50, "slow", i % 50)->takes_ms = 6 * SECOND_MS;
	world_pass(&w, 20 * SECOND_MS);
	cr_assert_gt(w.running_count, 250, "they use what is there: %zu", w.running_count);
	cr_assert_leq(w.running_count, 420, "%zu", w.running_count);
	m = &w.mails[w.count];
	for (unsigned i = 0; i < 100; i++)
		world_mail(&w, 51 + i % 10, "healthy", i % 50);
	world_pass(&w, SECOND_MS);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_leq(m[i].began_ms - m[i].sched.due_ms, 200);
	world_close(&w);
}

/* A user with mail for many destinations that answer, alone: four fifths; a second user begins at
 * once, and the mail of both ends. */
Test(slots, a_user_alone_leaves_a_fifth)
{
	struct world w;
	struct mail *m;
	size_t alone;

	world_open(&w, 200 + 200 * 20 + 50);
	for (unsigned i = 0; i < 200; i++)
		world_mail(&w, 0, "host", i);
	world_pass(&w, 2 * SECOND_MS);
	for (unsigned i = 0; i < 200 * 20; i++)
		world_mail(&w, 0, "host", i % 200)->takes_ms = 10 * SECOND_MS;
	world_pass(&w, SECOND_MS);
	alone = world_held(&w, 0);
	cr_assert_leq(alone, 400);
	cr_assert_geq(alone, 350, "%zu", alone);
	m = &w.mails[w.count];
	for (unsigned i = 0; i < 50; i++)
		world_mail(&w, 1, "host", i)->takes_ms = 10 * SECOND_MS;
	world_begin(&w);
	cr_assert_geq(world_held(&w, 1), 40, "%zu", world_held(&w, 1));
	world_pass(&w, 300 * SECOND_MS);
	cr_assert_eq(w.running_count, 0);
	cr_assert_eq(m[49].ends_ms, INT64_MAX);
	world_close(&w);
}

/* 421 after MAIL: one slot; again: a pause that grows, and one attempt after it. */
Test(slots, busy_hosts_get_one_slot_and_then_a_pause)
{
	struct world w;
	struct mail *m;

	world_open(&w, 110);
	world_mail(&w, 0, "busy", 0);
	world_pass(&w, SECOND_MS);
	m = &w.mails[w.count];
	for (unsigned i = 0; i < 100; i++)
		world_mail(&w, 0, "busy", 0)->outcome = SCHEDULE_BUSY;
	world_pass(&w, 200 * SECOND_MS);
	cr_assert_eq(m[4].ends_ms, INT64_MAX, "what was running");
	cr_assert_eq(m[5].began_ms, 0, "no more in the pause");
	world_pass(&w, 800 * SECOND_MS);
	cr_assert_eq(m[5].ends_ms, INT64_MAX);
	cr_assert_eq(m[7].began_ms, 0, "few attempts in a quarter of an hour");
	world_close(&w);
}

/* 20,000 messages of 1,000 users to 500 hosts within 10 s: the longest wait for hosts that answer.
 */
static int64_t
crowd_ms(bool has_bad_hosts)
{
	enum { HOSTS = 500, BAD = 50, MESSAGES = 20000, IN_A_STEP = 20 };
	struct world w;
	int64_t worst = 0;

	world_open(&w, MESSAGES);
	for (unsigned i = 0; i < MESSAGES; i++) {
		unsigned host = i % HOSTS, kind = has_bad_hosts ? host / BAD : HOSTS;
		struct mail *m = world_mail(&w, i / 20, "host", host);

		m->takes_ms = kind == 0 ? 300 * SECOND_MS : kind == 1 ? 6 * SECOND_MS : 20;
		m->outcome = kind == 0 ? SCHEDULE_UNREACHABLE : SCHEDULE_REACHED;
		if (i % IN_A_STEP == IN_A_STEP - 1)
			world_pass(&w, STEP_MS);
	}
	world_pass(&w, 60 * SECOND_MS);
	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct mail *m = &w.mails[i];
		int64_t waited = m->began_ms ? m->began_ms - m->sched.due_ms : INT64_MAX;

		if (i % HOSTS >= 3 * BAD && waited > worst)
			worst = waited;
	}
	world_close(&w);
	return worst;
}

Test(slots, many_users_and_hosts_some_of_them_bad)
{
	int64_t without = crowd_ms(false), with = crowd_ms(true);

	cr_log_info("healthy mail waited %lld ms without bad hosts, %lld ms beside them",
	    (long long)without, (long long)with);
	cr_assert_leq(with, without + 100);
}

/* Small numbers: with one slot in all, everybody still has a turn. */
Test(slots, a_single_slot)
{
	struct schedule_limits limits = {1, 1, retry_ms, 2};
	struct world w;

	world_open(&w, 40);
	schedule_configure(w.s, &limits);
	for (unsigned i = 0; i < 40; i++)
		world_mail(&w, i % 4, "host", i % 5);
	world_pass(&w, SECOND_MS);
	cr_assert_eq(w.running_count, 1);
	world_pass(&w, 4 * SECOND_MS);
	for (unsigned i = 0; i < 40; i++)
		cr_assert_eq(w.mails[i].ends_ms, INT64_MAX, "%u", i);
	world_close(&w);
}

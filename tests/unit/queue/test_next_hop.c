/* next_hop: the queue decides where deliveries go, and decides anew for those that wait when a reload
 * changes the routes. */
#include "queue/next_hop.h"

#include "rig.h"

static const char by_a[] = "{ via = \"smtp\"; host = \"a\"; }";
static const char by_b[] = "{ via = \"smtp\"; host = \"b\"; }";

static void
reload_routes(struct rig *r, const char *routes)
{
	r->routes = routes;
	rig_reload(r, r->queue_conf);
}

/* A reload in between changes the destination of what waits, and not of what runs. */
Test(next_hop, a_running_delivery_keeps_its_destination, .timeout = 60)
{
	static struct rig r;
	const struct rig_attempt *first;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	for (uint64_t i = 1; i <= 2; i++)
		cr_assert_eq(
		    rig_commit(&r, rig_id(i), "alice@example.com", TO("a@example.net")).code, 250);
	first = rig_attempt(&r, 0);
	cr_assert_str_eq(first->next_hop, "mx:example.net");
	rig_wait(&r, 100);
	cr_assert_eq(r.attempt_count, 1, "the second waits for the slot");
	reload_routes(&r, by_a);
	cr_assert_str_eq(rig_attempt(&r, 1)->next_hop, "smtp:a");
	cr_assert_eq(r.cancels, 0);
	rig_results(&r, first, 250, "none");
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_until(&r, &r.stored, 2);
	rig_check_empty(&r);
	rig_end(&r);
}

/* So does what waits for its next attempt; and what ran meanwhile is decided when it comes back. */
Test(next_hop, deferred_deliveries_are_decided_anew, .timeout = 60)
{
	static struct rig r;
	char id[ID_NUMBER_TEXT_BYTES];

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	for (uint64_t i = 1; i <= 2; i++)
		cr_assert_eq(rig_commit(&r, rig_id(i), "alice@example.com",
		                 i == 1 ? TO("a@example.net") : TO("a@example.org"))
		                 .code,
		    250);
	rig_attempt(&r, 1);
	rig_results(&r, rig_attempt_for(&r, "example.net"), 451, "greylisted");
	rig_until(&r, &r.stored, 1);
	reload_routes(&r, by_a);
	rig_results(&r, rig_attempt_for(&r, "example.org"), 451, "greylisted");
	rig_until(&r, &r.stored, 2);
	for (uint64_t i = 1; i <= 2; i++) {
		rig_admin(&r, "queue.show", WITH("id", msgid_text(rig_id(i), 0, id)));
		cr_expect(str_eq(rig_row(&r, 1, "destination"), STR("smtp:a")));
		rig_admin(&r, "queue.retry", WITH("id", msgid_text(rig_id(i), 0, id)));
		cr_expect_str_eq(rig_attempt(&r, (unsigned)i + 1)->next_hop, "smtp:a");
		rig_results(&r, &r.attempts[i + 1], 250, "none");
	}
	rig_until(&r, &r.stored, 4);
	rig_end(&r);
}

/* The configuration of a start holds for what an earlier process stored. */
Test(next_hop, a_start_decides_by_its_configuration, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_kill(&r);
	r.routes = by_b;
	rig_start(&r);
	rig_relay(&r, true);
	cr_assert_str_eq(rig_attempt(&r, 0)->next_hop, "smtp:b");
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_end(&r);
}

/* Relay does not know the login yet: it is no attempt, and the delivery comes again. */
Test(next_hop, a_delivery_that_relay_gives_back_comes_again, .timeout = 60)
{
	static struct rig r;
	struct rig_attempt not_begun;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	not_begun = *rig_attempt(&r, 0);
	not_begun.numbers[0] = 0;
	not_begun.id = (struct msgid){.number = 0};
	rig_result(&r, &not_begun, 0, 451, "reloading");
	cr_assert_eq(rig_attempt(&r, 1)->attempt, 1, "no attempt was counted");
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_until(&r, &r.stored, 2);
	rig_end(&r);
}

/* Reloads follow one another faster than the queue goes through its messages: nothing is lost,
 * nothing stops, and what begins goes where the newest configuration says. */
Test(next_hop, a_storm_of_reloads, .timeout = 300)
{
	enum { COUNT = 3 * NEXT_HOP_SLICE + 100, RELOADS = 30 };
	static struct rig r;
	unsigned begun;

	rig_begin(&r, rig_slow);
	r.limits = "1000000 recipients / 1h";
	rig_reload(&r, "retry = [ \"1h\" ]; concurrency = 10;");
	rig_relay(&r, true);
	for (uint64_t i = 1; i <= COUNT; i++)
		rig_commit_soon(&r, rig_id(i), "alice@example.com", TO("a@example.net"));
	rig_until(&r, &r.answers_ok, COUNT);
	for (int i = 0; i < RELOADS; i++) {
		r.routes = i % 2 ? by_b : by_a;
		rig_reload_soon(&r);
	}
	rig_wait(&r, 1000);
	begun = r.attempt_count;
	for (unsigned i = 0; i < begun; i++)
		rig_results(&r, &r.attempts[i], 250, "none");
	rig_until(&r, &r.stored, begun);
	cr_assert_str_eq(rig_attempt(&r, begun)->next_hop, "smtp:b", "that of the last reload");
	rig_admin(&r, "status", WITH(NULL));
	rig_end(&r);
}

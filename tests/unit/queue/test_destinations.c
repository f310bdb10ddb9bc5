#include "queue/schedule/destinations.h"

#include "support.h"

enum { SLOTS = 20, WINDOW = 4 };

static const char users[4];
static const struct smtp_status away = {.code = 451, .class = 4, .text = "away"};

struct room {
	struct timers timers;
	struct sched_destinations all;
	struct sched_destination *destination[3];
};

static void
room_open(struct room *r)
{
	static const char *const names[] = {"one", "two", "three"};

	timers_init(&r->timers);
	sched_destinations_init(&r->all, &r->timers, 1);
	sched_destinations_configure(&r->all, SLOTS, WINDOW);
	for (int i = 0; i < 3; i++)
		r->destination[i] = sched_destinations_ref(&r->all, str_of(names[i]));
}

static void
room_close(struct room *r)
{
	for (int i = 0; i < 3; i++)
		sched_destinations_unref(&r->all, &r->destination[i]);
	sched_destinations_clear(&r->all);
	timers_clear(&r->timers);
}

static void
push(struct room *r, int destination, struct sched_delivery *p, int user)
{
	p->user = &users[user];
	sched_destinations_push(&r->all, r->destination[destination], p);
}

Test(destinations, an_unproven_destination_has_one_slot)
{
	struct room r;
	struct sched_delivery p[3] = {0};

	room_open(&r);
	for (int i = 0; i < 3; i++)
		push(&r, 0, &p[i], 0);
	cr_assert(sched_destinations_may_take(&r.all));
	cr_assert_eq(sched_destinations_take(&r.all), &p[0]);
	cr_assert_null(sched_destinations_take(&r.all));
	cr_assert_not(sched_destinations_may_take(&r.all));
	cr_assert_eq(r.all.running_unproven, 1);
	sched_destinations_answered(&r.all, r.destination[0]);
	cr_assert_eq(r.all.running_unproven, 0, "what runs there counts as proven now");
	cr_assert_eq(sched_destinations_take(&r.all), &p[1]);
	cr_assert_eq(sched_destinations_take(&r.all), &p[2]);
	for (int i = 0; i < 3; i++)
		sched_destinations_end(&r.all, &p[i]);
	cr_assert_eq(r.all.running, 0);
	room_close(&r);
}

Test(destinations, users_and_destinations_take_turns)
{
	struct room r;
	struct sched_delivery p[6] = {0};
	struct sched_delivery *got[6];

	room_open(&r);
	for (int i = 0; i < 2; i++)
		sched_destinations_answered(&r.all, r.destination[i]);
	for (int i = 0; i < 4; i++)
		push(&r, 0, &p[i], i == 3);
	push(&r, 1, &p[4], 0);
	push(&r, 1, &p[5], 0);
	for (int i = 0; i < 6; i++)
		got[i] = sched_destinations_take(&r.all);
	cr_assert_eq(got[0], &p[0]);
	cr_assert_eq(got[1], &p[4]);
	cr_assert_eq(got[2], &p[3], "the other user");
	cr_assert_eq(got[3], &p[5]);
	cr_assert_eq(got[4], &p[1]);
	cr_assert_eq(got[5], &p[2]);
	for (int i = 0; i < 6; i++)
		sched_destinations_end(&r.all, &p[i]);
	room_close(&r);
}

/* In a pause nothing begins, and what waits is counted; after it one begins. */
Test(destinations, a_pause)
{
	struct room r;
	struct sched_delivery p[3] = {0};

	room_open(&r);
	sched_destinations_answered(&r.all, r.destination[0]);
	for (int i = 0; i < 3; i++)
		push(&r, 0, &p[i], 0);
	cr_assert_eq(sched_destinations_take(&r.all), &p[0]);
	sched_destinations_pause(&r.all, r.destination[0], &away, 1000);
	cr_assert_eq(r.all.ready_paused, 2);
	cr_assert_eq(r.all.running_unproven, 1);
	cr_assert_eq(r.destination[0]->status->code, 451);
	sched_destinations_end(&r.all, &p[0]);
	cr_assert_null(sched_destinations_take(&r.all));
	sched_destinations_pull(&r.all, &p[2]);
	cr_assert_eq(r.all.ready_paused, 1);
	push(&r, 0, &p[0], 1);
	cr_assert_eq(r.all.ready_paused, 2);
	sched_destinations_resume(&r.all, r.destination[0]);
	cr_assert_eq(r.all.ready_paused, 0);
	cr_assert_eq(sched_destinations_take(&r.all), &p[1]);
	cr_assert_null(sched_destinations_take(&r.all));
	sched_destinations_end(&r.all, &p[1]);
	sched_destinations_pull(&r.all, &p[0]);
	room_close(&r);
}

/* A user queue whose user has used up its share waits, and comes back when slots are free again. */
Test(destinations, a_parked_user_queue_comes_back)
{
	struct room r;
	struct sched_delivery p[3] = {0};

	room_open(&r);
	sched_destinations_configure(&r.all, 4, WINDOW);
	for (int i = 0; i < 3; i++)
		push(&r, i, &p[i], 0);
	cr_assert_eq(sched_destinations_take(&r.all), &p[0]);
	cr_assert_null(
	    sched_destinations_take(&r.all), "half of 4, and half of what is free of it");
	cr_assert_not(sched_destinations_may_take(&r.all));
	sched_destinations_pull(&r.all, &p[1]);
	sched_destinations_end(&r.all, &p[0]);
	cr_assert(sched_destinations_may_take(&r.all));
	cr_assert_eq(sched_destinations_take(&r.all), &p[2]);
	sched_destinations_end(&r.all, &p[2]);
	cr_assert_eq(map_count(r.all.shares.by_user), 0);
	cr_assert_eq(map_count(r.all.user_queues), 0);
	room_close(&r);
}

/* More than the limit, as relay may report after a restart of the queue; and a smaller limit. */
Test(destinations, more_than_the_limit_run)
{
	struct room r;
	struct sched_delivery p[5] = {0};

	room_open(&r);
	sched_destinations_configure(&r.all, 2, WINDOW);
	for (int i = 0; i < 4; i++) {
		p[i].user = &users[i];
		sched_destinations_begin(&r.all, r.destination[0], &p[i]);
	}
	push(&r, 1, &p[4], 0);
	cr_assert_null(sched_destinations_take(&r.all));
	for (int i = 0; i < 4; i++)
		sched_destinations_end(&r.all, &p[i]);
	cr_assert_eq(sched_destinations_take(&r.all), &p[4]);
	sched_destinations_end(&r.all, &p[4]);
	room_close(&r);
}

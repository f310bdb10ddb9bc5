#include "queue/schedule/next_hops.h"

#include "support.h"

struct room {
	struct timers timers;
	struct sched_destinations destinations;
	struct sched_next_hops all;
};

static void
room_open(struct room *r)
{
	timers_init(&r->timers);
	sched_destinations_init(&r->destinations, &r->timers, 1);
	sched_destinations_configure(&r->destinations, 10, 10);
	sched_next_hops_init(&r->all, &r->timers, &r->destinations, 2);
}

static void
room_close(struct room *r)
{
	sched_next_hops_clear(&r->all);
	sched_destinations_clear(&r->destinations);
	timers_clear(&r->timers);
}

Test(next_hops, one_domain_for_each_name)
{
	struct room r;
	struct sched_next_hop *a;

	room_open(&r);
	a = sched_next_hops_get(&r.all, STR("a.test"));
	cr_assert_eq(sched_next_hops_get(&r.all, STR("a.test")), a);
	cr_assert_neq(sched_next_hops_get(&r.all, STR("b.test")), a);
	cr_assert_eq(a->state, SCHED_NEXT_HOP_UNKNOWN);
	room_close(&r);
}

/* Deliveries wait in order of arrival, wherever one leaves. */
Test(next_hops, deliveries_wait_in_order)
{
	struct room r;
	struct sched_delivery p[4] = {0};
	struct sched_next_hop *d;

	room_open(&r);
	d = sched_next_hops_get(&r.all, STR("a.test"));
	for (int i = 0; i < 4; i++) {
		p[i].next_hop = d;
		sched_next_hops_push(&r.all, &p[i]);
		cr_assert_eq(p[i].state, DELIVERY_ASKING);
	}
	cr_assert_eq(r.all.asking, 4);
	sched_next_hops_pull(&r.all, &p[1]);
	sched_next_hops_pull(&r.all, &p[0]);
	cr_assert_eq(d->first, &p[2]);
	cr_assert_eq(p[2].next, &p[3]);
	sched_next_hops_pull(&r.all, &p[3]);
	cr_assert_eq(d->last, &p[2]);
	sched_next_hops_pull(&r.all, &p[2]);
	cr_assert_null(d->first);
	cr_assert_eq(r.all.asking, 0);
	room_close(&r);
}

Test(next_hops, are_listed_once_and_come_in_order)
{
	struct room r;
	struct sched_next_hop *a, *b;

	room_open(&r);
	a = sched_next_hops_get(&r.all, STR("a.test"));
	b = sched_next_hops_get(&r.all, STR("b.test"));
	sched_next_hops_list(&r.all, a);
	sched_next_hops_list(&r.all, b);
	sched_next_hops_list(&r.all, a);
	cr_assert_eq(r.all.todo, a);
	sched_next_hops_unlist_first(&r.all);
	cr_assert_eq(r.all.todo, b);
	sched_next_hops_list(&r.all, a);
	sched_next_hops_unlist_first(&r.all);
	sched_next_hops_unlist_first(&r.all);
	cr_assert_null(r.all.todo);
	room_close(&r);
}

/* The number of deliveries that wait for a delayed domain is always known. */
Test(next_hops, delayed_ones_are_counted)
{
	struct room r;
	struct sched_delivery p[3] = {0};
	struct sched_next_hop *d;

	room_open(&r);
	d = sched_next_hops_get(&r.all, STR("a.test"));
	for (int i = 0; i < 3; i++) {
		p[i].next_hop = d;
		if (i == 2)
			sched_next_hops_delay(&r.all, d);
		sched_next_hops_push(&r.all, &p[i]);
	}
	cr_assert_eq(r.all.delayed, 3);
	cr_assert(d->is_failure_unreported);
	sched_next_hops_pull(&r.all, &p[0]);
	cr_assert_eq(r.all.delayed, 2);
	sched_next_hops_forget_answer(&r.all, d);
	cr_assert_eq(r.all.delayed, 0);
	cr_assert_eq(d->state, SCHED_NEXT_HOP_UNKNOWN);
	sched_next_hops_pull(&r.all, &p[1]);
	sched_next_hops_pull(&r.all, &p[2]);
	room_close(&r);
}

/* A domain that is known, listed or referenced is kept; others are freed, with their reference to a
 * destination. */
Test(next_hops, are_freed_when_nothing_needs_them)
{
	struct room r;
	struct sched_next_hop *d;

	room_open(&r);
	d = sched_next_hops_get(&r.all, STR("a.test"));
	d->references = 1;
	sched_next_hops_free_if_unused(&r.all, d);
	d->references = 0;
	d->state = SCHED_NEXT_HOP_KNOWN;
	d->destination = sched_destinations_ref(&r.destinations, STR("mx"));
	sched_next_hops_free_if_unused(&r.all, d);
	cr_assert_eq(map_count(r.all.by_name), 1);
	sched_next_hops_forget_answer(&r.all, d);
	cr_assert_eq(map_count(r.destinations.by_name), 0);
	sched_next_hops_free_if_unused(&r.all, d);
	cr_assert_eq(map_count(r.all.by_name), 0);
	room_close(&r);
}

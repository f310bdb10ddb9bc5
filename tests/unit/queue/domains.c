#include "queue/domains.h"

#include "support.h"

struct room {
	struct timers timers;
	struct sites sites;
	struct destinations all;
};

static void
room_open(struct room *r)
{
	timers_init(&r->timers);
	sites_init(&r->sites, &r->timers, 1);
	sites_configure(&r->sites, 10, 10);
	destinations_init(&r->all, &r->timers, &r->sites, 2);
}

static void
room_close(struct room *r)
{
	destinations_clear(&r->all);
	sites_clear(&r->sites);
	timers_clear(&r->timers);
}

Test(destinations, one_for_each_name)
{
	struct room r;
	struct destination *a;

	room_open(&r);
	a = destinations_get(&r.all, STR("a.test"));
	cr_assert_eq(destinations_get(&r.all, STR("a.test")), a);
	cr_assert_neq(destinations_get(&r.all, STR("b.test")), a);
	cr_assert_eq(a->state, DESTINATION_UNKNOWN);
	room_close(&r);
}

/* Parcels wait in the order of their coming, wherever one leaves. */
Test(destinations, parcels_wait_in_order)
{
	struct room r;
	struct parcel p[4] = {0};
	struct destination *d;

	room_open(&r);
	d = destinations_get(&r.all, STR("a.test"));
	for (int i = 0; i < 4; i++) {
		p[i].destination = d;
		destinations_push(&r.all, &p[i]);
		cr_assert_eq(p[i].state, PARCEL_ASKING);
	}
	cr_assert_eq(r.all.asking, 4);
	destinations_pull(&r.all, &p[1]);
	destinations_pull(&r.all, &p[0]);
	cr_assert_eq(d->first, &p[2]);
	cr_assert_eq(p[2].next, &p[3]);
	destinations_pull(&r.all, &p[3]);
	cr_assert_eq(d->last, &p[2]);
	destinations_pull(&r.all, &p[2]);
	cr_assert_null(d->first);
	cr_assert_eq(r.all.asking, 0);
	room_close(&r);
}

Test(destinations, are_listed_once_and_come_in_order)
{
	struct room r;
	struct destination *a, *b;

	room_open(&r);
	a = destinations_get(&r.all, STR("a.test"));
	b = destinations_get(&r.all, STR("b.test"));
	destinations_list(&r.all, a);
	destinations_list(&r.all, b);
	destinations_list(&r.all, a);
	cr_assert_eq(r.all.todo, a);
	destinations_unlist_first(&r.all);
	cr_assert_eq(r.all.todo, b);
	destinations_list(&r.all, a);
	destinations_unlist_first(&r.all);
	destinations_unlist_first(&r.all);
	cr_assert_null(r.all.todo);
	room_close(&r);
}

/* How many wait for a domain that is delayed is known at any time. */
Test(destinations, delayed_ones_are_counted)
{
	struct room r;
	struct parcel p[3] = {0};
	struct destination *d;

	room_open(&r);
	d = destinations_get(&r.all, STR("a.test"));
	for (int i = 0; i < 3; i++) {
		p[i].destination = d;
		if (i == 2)
			destinations_delay(&r.all, d);
		destinations_push(&r.all, &p[i]);
	}
	cr_assert_eq(r.all.delayed, 3);
	cr_assert(d->has_news);
	destinations_pull(&r.all, &p[0]);
	cr_assert_eq(r.all.delayed, 2);
	destinations_forget_answer(&r.all, d);
	cr_assert_eq(r.all.delayed, 0);
	cr_assert_eq(d->state, DESTINATION_UNKNOWN);
	destinations_pull(&r.all, &p[1]);
	destinations_pull(&r.all, &p[2]);
	room_close(&r);
}

/* What is known, listed or referred to is kept; the rest goes, and lets its site go. */
Test(destinations, go_when_nothing_needs_them)
{
	struct room r;
	struct destination *d;

	room_open(&r);
	d = destinations_get(&r.all, STR("a.test"));
	d->references = 1;
	destinations_free_if_unused(&r.all, d);
	d->references = 0;
	d->state = DESTINATION_KNOWN;
	d->site = sites_keep(&r.sites, STR("mx"));
	destinations_free_if_unused(&r.all, d);
	cr_assert_eq(map_count(r.all.by_name), 1);
	destinations_forget_answer(&r.all, d);
	cr_assert_eq(map_count(r.sites.by_name), 0);
	destinations_free_if_unused(&r.all, d);
	cr_assert_eq(map_count(r.all.by_name), 0);
	room_close(&r);
}

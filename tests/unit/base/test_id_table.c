#include <criterion/criterion.h>

#include "base/id_table.h"

enum { OBJECTS = 3000 };

struct object {
	struct msgid id;
	uint32_t n;
};

static struct object objects[OBJECTS];

static struct msgid
id_of(uint32_t n)
{
	return (struct msgid){n / 3 + 1, n % 3 + 1};
}

static void
fill(struct id_table *t)
{
	id_table_init(t);
	for (uint32_t n = 0; n < OBJECTS; n++) {
		objects[n] = (struct object){id_of(n), n};
		id_table_add(t, &objects[n]);
	}
}

/* A walk from the end meets as many objects, in the reverse order. */
static void
walk_back(const struct id_table *t, size_t count)
{
	int64_t last = INT64_MAX;

	for (struct object *o = id_table_last(t); o; o = id_table_previous(t, o)) {
		cr_assert_lt(o->n, last);
		last = o->n;
		cr_assert_gt(count--, 0);
	}
	cr_assert_eq(count, 0);
}

/*
 * Returns how many objects are found by a walk, which must meet them in the order of adding, as
 * a walk from the end does in the reverse order.
 */
static size_t
walk(const struct id_table *t)
{
	size_t count = 0;
	int64_t last = -1;

	for (struct object *o = id_table_first(t); o; o = id_table_next(t, o)) {
		cr_assert_gt(o->n, last);
		last = o->n;
		count++;
	}
	walk_back(t, count);
	return count;
}

Test(id_table, empty)
{
	struct id_table t;

	id_table_init(&t);
	cr_assert_null(id_table_find(&t, id_of(1)));
	cr_assert_null(id_table_remove(&t, id_of(1)));
	cr_assert_null(id_table_first(&t));
	cr_assert_null(id_table_last(&t));
	id_table_clear(&t);
}

Test(id_table, finds_each_and_keeps_the_order)
{
	struct id_table t;

	fill(&t);
	cr_assert_eq(t.count, OBJECTS);
	for (uint32_t n = 0; n < OBJECTS; n++)
		cr_assert_eq(id_table_find(&t, id_of(n)), &objects[n]);
	cr_assert_null(id_table_find(&t, id_of(OBJECTS)));
	cr_assert_eq(walk(&t), OBJECTS);
	id_table_clear(&t);
}

/* In several patterns; what is left is found, in order. */
Test(id_table, removes)
{
	static const uint32_t steps[] = {1, 2, 3, 7, 1000};
	struct id_table t;

	for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
		size_t left = OBJECTS;

		fill(&t);
		for (uint32_t n = 0; n < OBJECTS; n += steps[s], left--)
			cr_assert_eq(id_table_remove(&t, id_of(n)), &objects[n]);
		cr_assert_null(id_table_remove(&t, id_of(0)));
		cr_assert_eq(t.count, left);
		for (uint32_t n = 0; n < OBJECTS; n++)
			cr_assert_eq(id_table_find(&t, id_of(n)),
			    n % steps[s] ? &objects[n] : NULL);
		cr_assert_eq(walk(&t), left);
		id_table_clear(&t);
	}
}

/* The newest is removed first, down to none; then the table is filled again. */
Test(id_table, removes_from_the_end)
{
	struct id_table t;
	struct object *o;

	fill(&t);
	id_table_remove(&t, id_of(OBJECTS - 2));
	for (uint32_t n = OBJECTS; (o = id_table_last(&t)); n = o->n) {
		cr_assert_eq(o->n, n == OBJECTS - 1 ? n - 2 : n - 1);
		id_table_remove(&t, o->id);
	}
	cr_assert_eq(t.count, 0);
	cr_assert_null(id_table_first(&t));
	for (uint32_t n = 0; n < OBJECTS; n++)
		id_table_add(&t, &objects[n]);
	cr_assert_eq(walk(&t), OBJECTS);
	id_table_clear(&t);
}

/* A queue: as many are removed at the head as are added at the end. */
Test(id_table, does_not_grow_without_need)
{
	struct id_table t;
	size_t cap, size;

	fill(&t);
	cap = t.cap;
	size = t.size;
	for (uint32_t n = 0; n < 20 * OBJECTS; n++) {
		struct object *o = id_table_first(&t);

		cr_assert_eq(id_table_remove(&t, o->id), o);
		o->id = id_of(OBJECTS + n);
		o->n = OBJECTS + n;
		id_table_add(&t, o);
	}
	cr_assert_eq(t.count, OBJECTS);
	cr_assert_leq(t.cap, 2 * cap);
	cr_assert_leq(t.size, size);
	cr_assert_eq(walk(&t), OBJECTS);
	id_table_clear(&t);
}

/* The walk goes on when the object that it stands at is removed after the step. */
Test(id_table, removal_during_a_walk)
{
	struct id_table t;
	size_t removed = 0;

	fill(&t);
	for (struct object *o = id_table_first(&t), *next; o; o = next) {
		next = id_table_next(&t, o);
		if (o->n % 5 == 4)
			continue;
		id_table_remove(&t, o->id);
		removed++;
	}
	cr_assert_eq(removed, OBJECTS / 5 * 4);
	cr_assert_eq(walk(&t), OBJECTS / 5);
	id_table_clear(&t);
}

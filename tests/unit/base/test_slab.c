#include <criterion/criterion.h>

#include "base/slab.h"

enum { OBJECTS = 5000, OBJECT_BYTES = 60 };

Test(slab, objects_have_numbers)
{
	static char *objects[OBJECTS];
	struct slab s;

	slab_init(&s, OBJECT_BYTES);
	cr_assert_null(slab_at(&s, 0));
	for (uint32_t i = 0; i < OBJECTS; i++) {
		objects[i] = slab_new(&s);
		cr_assert_eq((uintptr_t)objects[i] % 8, 0);
		cr_assert_eq(slab_number(objects[i]), i + 1);
		for (int n = 0; n < OBJECT_BYTES; n++)
			cr_assert_eq(objects[i][n], 0);
		memset(objects[i], 'x', OBJECT_BYTES);
	}
	cr_assert_eq(s.count, OBJECTS);
	cr_assert_gt(s.page_count, 4);
	for (uint32_t i = 0; i < OBJECTS; i++) {
		cr_assert_eq(slab_at(&s, i + 1), objects[i]);
		cr_assert_eq(slab_of(objects[i]), &s);
	}
	slab_clear(&s);
	cr_assert_eq(s.count, 0);
}

Test(slab, freed_objects_are_used_again)
{
	struct slab s;
	char *a, *b, *c;

	slab_init(&s, OBJECT_BYTES);
	a = slab_new(&s);
	b = slab_new(&s);
	memset(a, 'x', OBJECT_BYTES);
	slab_free(&s, a);
	slab_free(&s, b);
	cr_assert_eq(s.count, 0);
	c = slab_new(&s);
	cr_assert_eq(c, b, "the last one that was freed");
	c = slab_new(&s);
	cr_assert_eq(c, a);
	for (int n = 0; n < OBJECT_BYTES; n++)
		cr_assert_eq(a[n], 0, "zeroed again");
	c = slab_new(&s);
	cr_assert_eq(slab_number(c), 3);
	slab_clear(&s);
	c = slab_new(&s);
	cr_assert_eq(slab_number(c), 1, "usable after it was cleared");
	slab_clear(&s);
}

/* arena, buf, map: limits, growth, and the state after a refusal. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

Test(buf, ceiling_is_exact_and_over_stays)
{
	struct buf b;

	buf_init(&b, 10);
	cr_expect(buf_addz(&b, "0123456789"));
	cr_expect_not(buf_addc(&b, 'x'));
	cr_expect_eq(b.n, 10);
	cr_expect_not(buf_ok(&b));
	cr_expect_not(buf_add(&b, "", 0));
	buf_reset(&b);
	cr_expect(buf_ok(&b));
	cr_expect(buf_addz(&b, "again"));
	buf_clear(&b);
	cr_expect_eq(b.max, 10);
	cr_expect_null(b.p);
}

Test(buf, add_formatted_up_to_the_ceiling)
{
	struct buf b;

	buf_init(&b, 8);
	cr_expect(buf_addf(&b, "%d-%s", 12, "abc"));
	cr_expect(str_eq(buf_str(&b), STR("12-abc")));
	cr_expect_not(buf_addf(&b, "%s", "too long"));
	cr_expect(str_eq(buf_str(&b), STR("12-abc")));
	buf_clear(&b);
}

Test(buf, a_file_is_read_whole_or_not_at_all)
{
	char bytes[40000];
	FILE *f = tmpfile();
	struct buf b;

	memset(bytes, 'x', sizeof bytes);
	cr_assert_eq(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
	fflush(f);
	buf_init(&b, sizeof bytes);
	cr_assert_eq(buf_read_file(&b, fileno(f)), 0);
	cr_assert_eq(b.n, sizeof bytes);
	buf_clear(&b);
	buf_init(&b, sizeof bytes - 1);
	cr_assert_eq(buf_read_file(&b, fileno(f)), -1);
	cr_assert_eq(errno, EFBIG);
	buf_clear(&b);
	cr_assert_eq(buf_read_file(&b, -1), -1);
	fclose(f);
}

Test(buf, drop_removes_from_the_front)
{
	struct buf b;

	buf_init(&b, 100);
	buf_addz(&b, "abcdef");
	buf_drop(&b, 2);
	cr_expect(str_eq(buf_str(&b), STR("cdef")));
	buf_drop(&b, 99);
	cr_expect_eq(b.n, 0);
	buf_clear(&b);
}

Test(arena, is_zeroed_aligned_and_large_pieces_fit)
{
	struct arena a;

	arena_init(&a, 1 << 20);
	for (size_t n = 1; n < 5000; n += 37) {
		unsigned char *p = arena_new(&a, n);

		cr_assert_eq((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(p[i], 0);
		memset(p, 0xff, n);
	}
	arena_clear(&a);
	cr_expect_eq(a.used_bytes, 0);
}

Test(arena, strings_end_in_nul_beyond_their_length)
{
	struct arena a;
	struct str s;

	arena_init(&a, 1 << 16);
	s = arena_str(&a, STR("a\0b"));
	cr_expect_eq(s.n, 3);
	cr_expect_eq(s.p[3], 0);
	s = arena_printf(&a, "%05d", 42);
	cr_expect(str_eq(s, STR("00042")));
	cr_expect(str_eq(arena_lower(&a, STR("ABC\xc4z")), STR("abc\xc4z")));
	arena_clear(&a);
}

Test(map, keeps_every_key_over_growth)
{
	struct map *m = map_new();
	char key[16];

	for (uintptr_t i = 1; i <= 1000; i++) {
		snprintf(key, sizeof key, "key%zu", (size_t)i);
		cr_assert_null(map_put(m, str_of(key), (void *)i));
	}
	cr_expect_eq(map_count(m), 1000);
	for (uintptr_t i = 1; i <= 1000; i++) {
		snprintf(key, sizeof key, "key%zu", (size_t)i);
		cr_assert_eq((uintptr_t)map_get(m, str_of(key)), i);
		if (i % 2)
			cr_assert_eq((uintptr_t)map_remove(m, str_of(key)), i);
	}
	cr_expect_eq(map_count(m), 500);
	cr_expect_null(map_get(m, STR("key1")));
	cr_expect_null(map_get(m, STR("")));
	cr_expect_null(map_get(m, STR_NULL));
	map_free(&m);
	cr_expect_null(m);
}

Test(map, put_returns_the_previous_value)
{
	struct map *m = map_new();
	int a, b;

	cr_expect_null(map_put(m, STR("k"), &a));
	cr_expect_eq(map_put(m, STR("k"), &b), &a);
	cr_expect_eq(map_get(m, STR("k")), &b);
	cr_expect_eq(map_count(m), 1);
	map_free(&m);
}

/* The sanitizers report a value that is not freed as a leak. */
Test(map, is_freed_with_its_values)
{
	struct map *m = map_new(), *none = NULL;
	char name[16];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "%d", i);
		cr_assert_null(map_put(m, str_of(name), mem_new(8)));
	}
	map_free_all(&m);
	cr_expect_null(m);
	map_free_all(&none);
}

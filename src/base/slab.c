/*
 * slab: a page is aligned to its size, and its head names the slab and the first number in it, so
 * both are found from the address of an object.  Free objects form a list of numbers.
 */
#include "base/slab.h"

#include <string.h>

#include "base/mem.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define SLAB_POISON(p, n) __asan_poison_memory_region((p), (n))
#define SLAB_UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define SLAB_POISON(p, n) ((void)(p), (void)(n))
#define SLAB_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

struct slab_page {
	struct slab *owner;
	uint32_t first_number;
	uint32_t used;                   /* objects that were ever in use, from the start */
	char objects[];
};

void
slab_init(struct slab *s, size_t object_bytes)
{
	*s = (struct slab){.object_bytes = (uint32_t)((object_bytes + 7) & ~(size_t)7)};
	s->per_page =
	    (uint32_t)((SLAB_PAGE_BYTES - sizeof(struct slab_page)) / s->object_bytes);
}

void
slab_clear(struct slab *s)
{
	for (uint32_t i = 0; i < s->page_count; i++) {
		SLAB_UNPOISON(s->pages[i], SLAB_PAGE_BYTES);
		mem_free(s->pages[i]);
	}
	mem_free(s->pages);
	slab_init(s, s->object_bytes);
}

static struct slab_page *
slab_page_of(const void *object)
{
	return (struct slab_page *)((uintptr_t)object & ~(uintptr_t)(SLAB_PAGE_BYTES - 1));
}

struct slab *
slab_of(const void *object)
{
	return slab_page_of(object)->owner;
}

uint32_t
slab_number(const void *object)
{
	const struct slab_page *page = slab_page_of(object);

	return page->first_number +
	    (uint32_t)((const char *)object - page->objects) / page->owner->object_bytes;
}

void *
slab_at(const struct slab *s, uint32_t number)
{
	if (number == 0)
		return NULL;
	number--;
	return s->pages[number / s->per_page]->objects +
	    (size_t)(number % s->per_page) * s->object_bytes;
}

static struct slab_page *
slab_add_page(struct slab *s)
{
	struct slab_page *page = mem_new_aligned(SLAB_PAGE_BYTES, SLAB_PAGE_BYTES);

	if (s->page_count == s->page_cap) {
		s->page_cap = s->page_cap ? s->page_cap * 2 : 16;
		s->pages = mem_grow(s->pages, s->page_cap * sizeof *s->pages);
	}
	page->owner = s;
	page->first_number = s->page_count * s->per_page + 1;
	page->used = 0;
	s->pages[s->page_count++] = page;
	SLAB_POISON(page->objects, (size_t)s->per_page * s->object_bytes);
	return page;
}

static void *
slab_take_unused(struct slab *s)
{
	struct slab_page *page = s->page_count ? s->pages[s->page_count - 1] : NULL;

	if (!page || page->used == s->per_page)
		page = slab_add_page(s);
	return page->objects + (size_t)page->used++ * s->object_bytes;
}

void *
slab_new(struct slab *s)
{
	void *object = slab_at(s, s->first_free);

	if (!object)
		object = slab_take_unused(s);
	SLAB_UNPOISON(object, s->object_bytes);
	if (s->first_free)
		memcpy(&s->first_free, object, sizeof s->first_free);
	memset(object, 0, s->object_bytes);
	s->count++;
	return object;
}

void
slab_free(struct slab *s, void *object)
{
	uint32_t number = slab_number(object);

	memcpy(object, &s->first_free, sizeof s->first_free);
	s->first_free = number;
	s->count--;
	SLAB_POISON(object, s->object_bytes);
}

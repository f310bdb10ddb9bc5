/*
 * slab: objects of one size in pages, for what exists in very large numbers: an object has no
 * header, and is also found by a number of 32 bits, so that objects refer to one another in half
 * the space of a pointer.  Pages are freed all together.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum { SLAB_PAGE_BYTES = 65536 };

struct slab_page;

struct slab {
	struct slab_page **pages;
	uint32_t page_count, page_cap;
	uint32_t object_bytes;
	uint32_t per_page;
	uint32_t first_free;             /* number of an object; 0: none */
	uint32_t count;                  /* objects in use */
};

/* An empty slab; no memory is allocated before the first object.  It stays where it is until it is
 * cleared, because its pages point to it. */
void slab_init(struct slab *s, size_t object_bytes);
/* Frees all objects.  The slab is empty and usable afterwards. */
void slab_clear(struct slab *s);

/* A zeroed object. */
void *slab_new(struct slab *s) __attribute__((returns_nonnull, warn_unused_result));
/* Frees an object of this slab. */
void slab_free(struct slab *s, void *object);

/* The slab of an object. */
struct slab *slab_of(const void *object);
/* The number of an object, from 1. */
uint32_t slab_number(const void *object);
/* The object with this number; NULL for 0. */
void *slab_at(const struct slab *s, uint32_t number);

#endif

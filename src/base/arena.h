/*
 * arena: memory with one lifetime (a connection, a transaction, a command), given back in one
 * call.  Nothing is taken before the first use.  What is allocated is zeroed.  The arena's user
 * bounds its input; beyond the ceiling the process dies, because then a bound is missing.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used_bytes;
	size_t max_bytes;
};

void arena_init(struct arena *a, size_t max_bytes);
/* Frees all; the arena is empty and usable. */
void arena_clear(struct arena *a);

void *arena_new(struct arena *a, size_t bytes) __attribute__((returns_nonnull)) MUST_USE;
#define ARENA_NEW(arena, type) ((type *)arena_new((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_new((arena), sizeof(type) * (count)))

/* A copy, followed by a NUL that the view does not count. */
struct str arena_str(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* ASCII lower case. */
struct str arena_lower(struct arena *a, struct str s);

#endif

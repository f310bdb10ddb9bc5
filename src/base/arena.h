/*
 * arena: memory with one lifetime (a connection, a transaction, a command) that is freed in one
 * call.  No memory is allocated before the first use.  Allocated memory is zeroed.  The user of the
 * arena limits its input.  An allocation beyond the ceiling ends the process, because such a limit
 * is missing then.
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

/* An empty arena with a ceiling. */
void arena_init(struct arena *a, size_t max_bytes);
/* Frees everything.  The arena is empty and usable afterwards. */
void arena_clear(struct arena *a);

/* Zeroed memory, valid until arena_clear. */
void *arena_new(struct arena *a, size_t bytes) __attribute__((returns_nonnull)) MUST_USE;
#define ARENA_NEW(arena, type) ((type *)arena_new((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_new((arena), sizeof(type) * (count)))

/* A copy, followed by a NUL that the view does not count.  arena_printf formats likewise. */
struct str arena_str(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A copy in ASCII lower case. */
struct str arena_lower(struct arena *a, struct str s);

#endif

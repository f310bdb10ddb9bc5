/*
 * arena: a list of blocks, each at least twice as large as the allocation that needs it; the newest
 * is first.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	_Alignas(16) char bytes[];
};

enum { BLOCK_BYTES = 1024 - sizeof(struct arena_block), ALIGN = 16 };

void
arena_init(struct arena *a, size_t max_bytes)
{
	*a = (struct arena){.max_bytes = max_bytes};
}

void
arena_clear(struct arena *a)
{
	struct arena_block *b, *next;

	for (b = a->blocks; b; b = next) {
		next = b->next;
		mem_free(b);
	}
	arena_init(a, a->max_bytes);
}

static struct arena_block *
add_block(struct arena *a, size_t bytes)
{
	size_t size = bytes > BLOCK_BYTES / 2 ? bytes + BLOCK_BYTES : BLOCK_BYTES;
	struct arena_block *b;

	if (a->used_bytes + size > a->max_bytes)
		die("arena over its ceiling of %zu bytes", a->max_bytes);
	b = mem_new(sizeof *b + size);
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	a->used_bytes += size;
	return b;
}

void *
arena_new(struct arena *a, size_t bytes)
{
	struct arena_block *b = a->blocks;
	void *p;

	if (bytes > a->max_bytes)
		die("arena asked for %zu of %zu bytes", bytes, a->max_bytes);
	bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!b || bytes > b->size - b->used)
		b = add_block(a, bytes);
	p = b->bytes + b->used;
	b->used += bytes;
	return p;
}

struct str
arena_str(struct arena *a, struct str s)
{
	char *p = arena_new(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){p, s.n};
}

struct str
arena_printf(struct arena *a, const char *format, ...)
{
	va_list args, again;
	char *p;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	if (n < 0)
		die("bad format %s", format);
	p = arena_new(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, format, again);
	va_end(again);
	va_end(args);
	return (struct str){p, (size_t)n};
}

struct str
arena_lower(struct arena *a, struct str s)
{
	char *p = arena_new(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = char_lower(s.p[i]);
	return (struct str){p, s.n};
}

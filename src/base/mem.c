/*
 * mem: allocation that cannot fail, and the end of the process for what cannot happen.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void *
mem_new(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		die("no memory for %zu bytes", bytes);
	return p;
}

void *
mem_new_aligned(size_t alignment, size_t bytes)
{
	void *p = aligned_alloc(alignment, bytes);

	if (!p)
		die("no memory for %zu bytes", bytes);
	return p;
}

void *
mem_grow(void *p, size_t bytes)
{
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		die("no memory for %zu bytes", bytes);
	return p;
}

char *
mem_text(const char *p, size_t n)
{
	char *copy = mem_new(n + 1);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

void
mem_free(void *p)
{
	free(p);
}

void
mem_wipe(void *p, size_t bytes)
{
	explicit_bzero(p, bytes);
}

void
die(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_error("bug: %s", text);
	abort();
}

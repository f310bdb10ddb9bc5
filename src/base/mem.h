/*
 * mem: the only place that calls malloc.  Allocation never fails: without memory the process ends
 * (die) and main starts it again.  Sizes that a remote party can choose are limited before.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#define MEM_NEW(type) ((type *)mem_new(sizeof(type)))

/* Zeroed memory. */
void *mem_new(size_t bytes) __attribute__((returns_nonnull, warn_unused_result));
/* Not zeroed; alignment is a power of two, and bytes a multiple of it. */
void *mem_new_aligned(size_t alignment, size_t bytes)
    __attribute__((returns_nonnull, warn_unused_result));
/* Like realloc; new bytes are not zeroed. */
void *mem_grow(void *p, size_t bytes) __attribute__((returns_nonnull, warn_unused_result));
/* A copy of n bytes, terminated with NUL. */
char *mem_text(const char *p, size_t n) __attribute__((returns_nonnull, warn_unused_result));
/* Frees memory of this module; p may be NULL. */
void mem_free(void *p);
/* Overwrites a secret in a way that the compiler does not optimize away. */
void mem_wipe(void *p, size_t bytes);

/* For a bug, or when there is no memory: logs the text and ends the process with abort(). */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif

/*
 * buf: growth by doubling up to the ceiling.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

enum { FIRST_BYTES = 256, PIECE_BYTES = 16384, FORMAT_BYTES = 512 };

void
buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes};
}

void
buf_clear(struct buf *b)
{
	mem_free(b->p);
	buf_init(b, b->max);
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->over = false;
}

char *
buf_room(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : FIRST_BYTES;

	if (n > b->max - b->n) {
		b->over = true;
		return NULL;
	}
	if (b->p && b->n + n <= b->cap)
		return b->p + b->n;
	while (cap < b->n + n)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	b->p = mem_grow(b->p, cap);
	b->cap = cap;
	return b->p + b->n;
}

bool
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to;

	if (n == 0 || b->over)
		return !b->over;
	to = buf_room(b, n);
	if (!to)
		return false;
	memcpy(to, p, n);
	b->n += n;
	return true;
}

bool
buf_adds(struct buf *b, struct str s)
{
	return buf_add(b, s.p, s.n);
}

bool
buf_addc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

bool
buf_addz(struct buf *b, const char *z)
{
	return buf_add(b, z, strlen(z));
}

/* Text that does not fit is formatted a second time into enough room, which is rare. */
bool
buf_addf(struct buf *b, const char *format, ...)
{
	char small[FORMAT_BYTES], *to;
	va_list args, again;
	bool ok = false;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(small, sizeof small, format, args);
	if (n >= 0 && (size_t)n < sizeof small) {
		ok = buf_add(b, small, (size_t)n);
	} else if (n >= 0 && !b->over && (to = buf_room(b, (size_t)n + 1))) {
		/* one more byte for the NUL that vsnprintf writes */
		vsnprintf(to, (size_t)n + 1, format, again);
		b->n += (size_t)n;
		ok = true;
	}
	va_end(again);
	va_end(args);
	return ok;
}

int
buf_read_file(struct buf *b, int fd)
{
	for (off_t at = 0;;) {
		size_t left = b->max - b->n, size = left < PIECE_BYTES ? left : PIECE_BYTES;
		char more, *to = size ? buf_room(b, size) : &more;
		ssize_t n = pread(fd, to, size ? size : 1, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		if (size == 0) {
			errno = EFBIG;
			return -1;
		}
		b->n += (size_t)n;
		at += n;
	}
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

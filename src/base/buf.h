/*
 * buf: a growing byte buffer with a ceiling from birth.  Adding beyond the ceiling adds nothing
 * and sets `over`, which stays set: a caller may add many pieces and ask once with buf_ok().
 * Memory is taken at the first add; buf_clear gives it back and leaves a usable empty buffer.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

struct buf {
	char *p;
	size_t n;
	size_t cap;
	size_t max; /* bytes */
	bool over;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_clear(struct buf *b);
/* Empty, `over` forgotten, memory kept. */
void buf_reset(struct buf *b);

/* Each returns !over. */
bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_adds(struct buf *b, struct str s);
bool buf_addc(struct buf *b, char c);
bool buf_addz(struct buf *b, const char *z);
bool buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for n more bytes behind p + n; NULL (and over) beyond the ceiling.  Then: b->n += used. */
char *buf_room(struct buf *b, size_t n) MUST_USE;
/* Adds the whole file behind fd, from its beginning, whoever shares its position.  -1 with errno;
 * EFBIG: it is larger than the room below the ceiling. */
int buf_read_file(struct buf *b, int fd) MUST_USE;
/* Takes n bytes off the front. */
void buf_drop(struct buf *b, size_t n);

static inline bool
buf_ok(const struct buf *b)
{
	return !b->over;
}

static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){b->p, b->n};
}

#endif

/*
 * buf: a growing byte buffer with a ceiling.  Adding beyond the ceiling adds nothing and sets
 * `over`, which stays set: a caller may add many parts and call buf_ok() once.  Memory is allocated
 * at the first add.  buf_clear frees it and leaves a usable empty buffer.
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

/* An empty buffer with a ceiling. */
void buf_init(struct buf *b, size_t max_bytes);
/* Frees the memory. */
void buf_clear(struct buf *b);
/* Makes the buffer empty and resets `over`; the memory stays allocated. */
void buf_reset(struct buf *b);

/* Each of these adds to the end and returns !over. */
bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_adds(struct buf *b, struct str s);
bool buf_addc(struct buf *b, char c);
bool buf_addz(struct buf *b, const char *z);
bool buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for n more bytes behind p + n; NULL (and `over` is set) beyond the ceiling.  The caller then
 * adds the used number to b->n. */
char *buf_room(struct buf *b, size_t n) MUST_USE;
/* Adds the whole file behind fd from its beginning, without using or changing the file position.
 * -1 with errno; EFBIG: the file is larger than the room below the ceiling. */
int buf_read_file(struct buf *b, int fd) MUST_USE;
/* Removes n bytes from the front. */
void buf_drop(struct buf *b, size_t n);

/* Has everything that was added fit? */
static inline bool
buf_ok(const struct buf *b)
{
	return !b->over;
}

/* A view of the content. */
static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){b->p, b->n};
}

#endif

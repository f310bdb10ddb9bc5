/*
 * segment_maker: the file is created as new-NUMBER, filled with zeros, gets its header, and is
 * renamed to seg-NUMBER: a file of that name is always complete.
 */
#include "spool/segment_maker.h"

#include <errno.h>
#include <fcntl.h>

#include "spool/pool_header.h"

enum { SEGMENT_MAKER_PIECE_BYTES = 1 << 20, SEGMENT_MAKER_SLOT_TRIES = 64 };

static void
segment_maker_remove(struct segment_pool *p, const char *name)
{
	int error = errno;

	p->io->ops->unlink(p->io, name);
	segment_free(&p->making, p->io);
	errno = error;
}

/* Creates a file under the next number, p->making; -1 with errno.  EEXIST: the number is in use,
 * perhaps by a file that does not belong to the spool. */
static int
segment_maker_create_file(struct segment_pool *p)
{
	char name[SEGMENT_NAME_BYTES];
	struct fsio_file file;
	uint32_t slot = p->slot < SEGMENT_SLOTS_MAX ? p->slot : 1;
	int fd;

	p->slot = slot + 1;
	if (p->io->ops->inspect(p->io, segment_name(slot, name), &file) == 0) {
		errno = EEXIST;
		return -1;
	}
	if (errno != ENOENT)
		return -1;
	fd = p->io->ops->open(p->io, segment_new_name(slot, name), O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0)
		return -1;
	p->making = segment_new(slot, fd, p->bytes);
	p->made_bytes = 0;
	return 0;
}

int
segment_maker_begin(struct segment_pool *p)
{
	for (int tries = 0; tries < SEGMENT_MAKER_SLOT_TRIES; tries++) {
		if (segment_maker_create_file(p) == 0)
			return 0;
		if (errno != EEXIST)
			return segment_pool_failed(p, &p->making_retry, "cannot make a segment");
	}
	/* EEXIST: files have all the numbers that were tried; this is no lack of room */
	return segment_pool_failed(p, &p->making_retry, "no number is free for a segment");
}

int
segment_maker_write_piece(struct segment_pool *p)
{
	uint32_t left = p->bytes - p->made_bytes,
	         n = left < SEGMENT_MAKER_PIECE_BYTES ? left : SEGMENT_MAKER_PIECE_BYTES;
	char name[SEGMENT_NAME_BYTES];

	if (segment_write_zeros(p->io, p->making->fd, p->made_bytes, n) != 0 ||
	    p->io->ops->sync_data(p->io, p->making->fd) != 0) {
		(void)!segment_pool_failed(p, &p->making_retry, "cannot make a segment");
		segment_maker_remove(p, segment_new_name(p->making->slot, name));
		return -1;
	}
	p->made_bytes += n;
	return 0;
}

/* A reserve has no generation until it is used: with one it would be taken for the segment that was
 * prepared after the newest (segment_chain_is_complete). */
static int
segment_maker_write_header(struct segment_pool *p, bool is_reserve)
{
	if (is_reserve)
		return segment_pool_write_free(p, p->making, "cannot make a reserve");
	return segment_pool_prepare(p, p->making);
}

struct segment *
segment_maker_finish(struct segment_pool *p, bool is_reserve)
{
	char from[SEGMENT_NAME_BYTES], to[SEGMENT_NAME_BYTES];
	struct segment *s = p->making;

	segment_new_name(s->slot, from);
	segment_name(s->slot, to);
	if (segment_maker_write_header(p, is_reserve) != 0) {
		segment_maker_remove(p, from);
		return NULL;
	}
	if (p->io->ops->rename(p->io, from, to) != 0) {
		(void)!segment_pool_failed(p, &p->making_retry, "cannot name a segment");
		segment_maker_remove(p, from);
		return NULL;
	}
	if (p->io->ops->sync_directory(p->io) != 0) {
		(void)!segment_pool_failed(p, &p->making_retry, "cannot name a segment");
		segment_maker_remove(p, to);
		return NULL;
	}
	p->making = NULL;
	disk_retry_end(&p->making_retry, "segments can be made");
	return s;
}

void
segment_maker_cancel(struct segment_pool *p)
{
	char name[SEGMENT_NAME_BYTES];

	if (p->making)
		segment_maker_remove(p, segment_new_name(p->making->slot, name));
}

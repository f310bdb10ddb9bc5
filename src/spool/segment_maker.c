/*
 * segment_maker: see the header.
 */
#include "spool/segment_maker.h"

#include <errno.h>
#include <fcntl.h>

#include "spool/pool_header.h"

enum { PIECE_BYTES = 1 << 20, SLOT_TRIES = 64 };

static void
stock_unmake(struct stock *p, const char *name)
{
	int error = errno;

	p->io->ops->unlink(p->io, name);
	segment_free(&p->making, p->io);
	errno = error;
}

/* A file under the next number, in the making; -1 with errno, EEXIST: the number is taken, perhaps
 * by a file that is not ours. */
static int
stock_make_slot(struct stock *p)
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
stock_make_begin(struct stock *p)
{
	for (int tries = 0; tries < SLOT_TRIES; tries++) {
		if (stock_make_slot(p) == 0)
			return 0;
		if (errno != EEXIST)
			return stock_failed(p, &p->making_trouble, "cannot make a segment");
	}
	/* EEXIST: files are there under all numbers that were tried, which is no want of room */
	return stock_failed(p, &p->making_trouble, "no number is free for a segment");
}

int
stock_make_piece(struct stock *p)
{
	uint32_t left = p->bytes - p->made_bytes, n = left < PIECE_BYTES ? left : PIECE_BYTES;
	char name[SEGMENT_NAME_BYTES];

	if (segment_write_zeros(p->io, p->making->fd, p->made_bytes, n) != 0 ||
	    p->io->ops->sync_data(p->io, p->making->fd) != 0) {
		(void)!stock_failed(p, &p->making_trouble, "cannot make a segment");
		stock_unmake(p, segment_new_name(p->making->slot, name));
		return -1;
	}
	p->made_bytes += n;
	return 0;
}

/* A reserve bears no generation until it is used: with one it would pass for the segment that was
 * made ready behind the newest (chain_is_whole). */
static int
stock_make_header(struct stock *p, bool is_reserve)
{
	if (is_reserve)
		return stock_write_free(p, p->making, "cannot make a reserve");
	return stock_prepare(p, p->making);
}

struct segment *
stock_make_end(struct stock *p, bool is_reserve)
{
	char from[SEGMENT_NAME_BYTES], to[SEGMENT_NAME_BYTES];
	struct segment *s = p->making;

	segment_new_name(s->slot, from);
	segment_name(s->slot, to);
	if (stock_make_header(p, is_reserve) != 0) {
		stock_unmake(p, from);
		return NULL;
	}
	if (p->io->ops->rename(p->io, from, to) != 0) {
		(void)!stock_failed(p, &p->making_trouble, "cannot name a segment");
		stock_unmake(p, from);
		return NULL;
	}
	if (p->io->ops->sync_directory(p->io) != 0) {
		(void)!stock_failed(p, &p->making_trouble, "cannot name a segment");
		stock_unmake(p, to);
		return NULL;
	}
	p->making = NULL;
	trouble_end(&p->making_trouble, "segments can be made");
	return s;
}

void
stock_make_give_up(struct stock *p)
{
	char name[SEGMENT_NAME_BYTES];

	if (p->making)
		stock_unmake(p, segment_new_name(p->making->slot, name));
}

/*
 * body_check: the upkeep thread reads the file of a body, one piece at a time, and compares it with
 * the checksums that were stored with its message (spool_check_body).
 */
#include <errno.h>

#include "base/block_sums.h"
#include "base/mem.h"
#include "spool/spool_internal.h"

enum { BODY_CHECK_PIECE_BLOCKS = 16 };

struct body_check {
	struct task task;
	int fd;
	char *sums;
	size_t blocks;
	size_t block;                    /* the next one to compare */
	int error;
	spool_done_fn *fn;
	void *arg;
};

static int
body_check_block(struct fsio *io, const struct body_check *c, char *buffer)
{
	struct iovec v = {buffer, BLOCK_SUMS_BLOCK_BYTES};
	char sum[BLOCK_SUMS_BYTES];
	size_t got;

	if (fsio_read_all(io, c->fd, v, (off_t)c->block * BLOCK_SUMS_BLOCK_BYTES, &got) != 0)
		return errno;
	block_sums_make(str_make(buffer, got), sum);
	return memcmp(sum, c->sums + c->block * BLOCK_SUMS_BYTES, BLOCK_SUMS_BYTES) == 0 ? 0
	                                                                                 : EBADMSG;
}

static bool
body_check_run(struct fsio *io, void *arg)
{
	struct body_check *c = arg;
	char *buffer = mem_new(BLOCK_SUMS_BLOCK_BYTES);

	for (int n = 0; n < BODY_CHECK_PIECE_BLOCKS && c->block < c->blocks && !c->error;
	     n++, c->block++)
		c->error = body_check_block(io, c, buffer);
	mem_free(buffer);
	if (!c->error && c->block < c->blocks)
		return false;
	/* the file may have no name any more: then this close frees all of its blocks */
	io->ops->close(io, c->fd);
	c->fd = -1;
	return true;
}

static void
body_check_drop(void *owner, void *arg)
{
	struct spool *s = owner;
	struct body_check *c = arg;

	if (c->fd >= 0)
		s->io->ops->close(s->io, c->fd);
	mem_free(c->sums);
	mem_free(c);
}

static void
body_check_done(void *owner, void *arg)
{
	struct spool *s = owner;
	const struct body_check *c = arg;

	c->fn(c->error, c->arg);
	body_check_drop(s, arg);
}

void
spool_check_body(struct spool *s, int fd, struct str sums, spool_done_fn *fn, void *arg)
{
	static const struct task_kind kind = {body_check_run, body_check_done, body_check_drop,
	    "read a body again"};
	struct body_check *c = MEM_NEW(struct body_check);

	c->fd = fd;
	c->sums = mem_text(sums.p, sums.n);
	c->blocks = sums.n / BLOCK_SUMS_BYTES;
	c->fn = fn;
	c->arg = arg;
	tasks_submit(&s->upkeep, &c->task, &kind, c);
}

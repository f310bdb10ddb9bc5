/*
 * body_sync: see the header.
 */
#include "spool/body_sync.h"

#include <errno.h>
#include <sched.h>

#include "base/block_sums.h"
#include "base/clock.h"
#include "base/mem.h"
#include "mail/dot.h"
#include "spool/spool_threads.h"

enum { BODIES_PIECE_BYTES = 1 << 20 };

void
bodies_init(struct bodies *b, struct writer *w)
{
	*b = (struct bodies){.writer = w, .is_thread = w->is_thread};
	stall_init(&b->stall, spool_thread(SPOOL_THREAD_BODIES));
	pthread_cond_init(&b->wake, NULL);
	STAILQ_INIT(&b->waiting);
}

/* All of it, a block at a time; -1 with errno. */
static int
bodies_read(struct bodies *b, struct commit *c, char *block, char *sums)
{
	struct dot_check check = {.faults = 0};
	size_t got;

	for (uint64_t at = 0; at < c->body_bytes; at += got) {
		uint64_t left = c->body_bytes - at;
		struct iovec v = {block, left < SUMS_BLOCK_BYTES ? left : SUMS_BLOCK_BYTES};

		stall_begin(&b->stall, "check the body", c->id);
		if (fsio_read_all(b->writer->io, c->fd, v, (off_t)at, &got) != 0)
			return -1;
		if (got != v.iov_len) {
			errno = EBADMSG;
			return -1;
		}
		sums_make(str_make(block, got), sums + at / SUMS_BLOCK_BYTES * SUMS_BYTES);
		dot_check(&check, str_make(block, got));
		sched_yield();
	}
	errno = EILSEQ;
	return dot_check_end(&check) ? -1 : 0;
}

/* The record learns what the body is. */
static int
bodies_sum(struct bodies *b, struct batch *one)
{
	struct commit *c = &one->commits[0];
	char *block = mem_new(SUMS_BLOCK_BYTES);
	off_t bytes;
	struct fsio *io = b->writer->io;
	int result = io->ops->size(io, c->fd, &bytes);

	if (result == 0 && (uint64_t)bytes != c->body_bytes) {
		errno = EBADMSG;
		result = -1;
	}
	if (result == 0)
		result = bodies_read(b, c, block, one->bytes.p + c->sums_at);
	if (result == 0)
		batch_seal(one, c);
	mem_free(block);
	return result;
}

/* Piece by piece: a sync of all of it at once would stand in the disk's queue before the syncs of
 * the small messages that come meanwhile. */
static int
bodies_write_back(struct bodies *b, const struct commit *c)
{
	struct fsio *io = b->writer->io;

	for (uint64_t at = 0; at < c->body_bytes; at += BODIES_PIECE_BYTES) {
		stall_begin(&b->stall, "write the body", c->id);
		if (io->ops->write_back(io, c->fd, (off_t)at, BODIES_PIECE_BYTES) != 0)
			return -1;
		sched_yield();
	}
	return 0;
}

static int
bodies_store(struct bodies *b, struct batch *one)
{
	struct commit *c = &one->commits[0];
	struct fsio *io = b->writer->io;
	char name[WRITER_FILE_NAME_BYTES];

	if (bodies_write_back(b, c) != 0)
		return -1;
	stall_begin(&b->stall, "sync the body", c->id);
	if (io->ops->sync_data(io, c->fd) != 0 || bodies_sum(b, one) != 0)
		return -1;
	stall_begin(&b->stall, "name the body's file", c->id);
	if (io->ops->name(io, c->fd, writer_file_name(c->id, name)) != 0)
		return -1;
	c->is_named = true;
	return io->ops->sync_directory(io);
}

/* Who asked has been told 451, or soon will be: what were stored now would be sent again. */
static bool
bodies_is_late(const struct commit *c)
{
	return clock_mono_ms() >= c->begin_by_ms;
}

/* EILSEQ: it is no text that may be sent. */
static void
bodies_try(struct bodies *b, struct batch *one)
{
	struct commit *c = &one->commits[0];
	bool is_late = bodies_is_late(c);

	if (!is_late && bodies_store(b, one) != 0)
		batch_refuse(c, errno, errno == EILSEQ);
	else if (is_late || bodies_is_late(c))
		batch_refuse(c, ETIMEDOUT, true);
}

/* A file whose name may not be durable is not kept; the commit goes on with its error. */
static void
bodies_make_durable(struct bodies *b, struct batch *one)
{
	struct commit *c = &one->commits[0];
	struct fsio *io = b->writer->io;
	char name[WRITER_FILE_NAME_BYTES];

	bodies_try(b, one);
	if (c->error) {
		if (c->is_named && io->ops->unlink(io, writer_file_name(c->id, name)) != 0)
			writer_remove_file(b->writer, c->id);
		c->is_named = false;
	}
	stall_begin(&b->stall, "close the body's file", c->id);
	io->ops->close(io, c->fd);
	c->fd = -1;
	stall_end(&b->stall);
}

/* Called and left with the writer's lock held. */
static void
bodies_work(struct bodies *b)
{
	struct batch *one = STAILQ_FIRST(&b->waiting);

	STAILQ_REMOVE_HEAD(&b->waiting, link);
	writer_let_go(b->writer);
	bodies_make_durable(b, one);
	writer_hold(b->writer);
	batch_adopt(b->writer->filling, one);
	batch_free(&one);
}

static void
bodies_work_all(struct bodies *b)
{
	while (!STAILQ_EMPTY(&b->waiting)) {
		bodies_work(b);
		/* the writer is woken for each */
		writer_let_go(b->writer);
		writer_hold(b->writer);
	}
}

static void *
bodies_run(void *arg)
{
	struct bodies *b = arg;

	pthread_setname_np(pthread_self(), spool_thread_name(SPOOL_THREAD_BODIES));
	writer_await_start(b->writer);
	writer_hold(b->writer);
	for (;;) {
		bodies_work_all(b);
		if (b->is_stopping)
			break;
		pthread_cond_wait(&b->wake, &b->writer->lock);
	}
	writer_let_go(b->writer);
	return NULL;
}

int
bodies_start(struct bodies *b)
{
	int error = b->is_thread ? pthread_create(&b->thread, NULL, bodies_run, b) : 0;

	if (error) {
		b->is_thread = false;
		errno = error;
	}
	return error ? -1 : 0;
}

void
bodies_step(struct bodies *b)
{
	writer_hold(b->writer);
	bodies_work_all(b);
	writer_let_go(b->writer);
}

void
bodies_stop(struct bodies *b)
{
	if (!b->is_thread) {
		bodies_step(b);
		return;
	}
	writer_hold(b->writer);
	b->is_stopping = true;
	pthread_cond_signal(&b->wake);
	writer_let_go(b->writer);
	pthread_join(b->thread, NULL);
}

void
bodies_clear(struct bodies *b)
{
	pthread_cond_destroy(&b->wake);
	stall_clear(&b->stall);
}

void
bodies_add(struct bodies *b, struct batch *one)
{
	writer_hold(b->writer);
	STAILQ_INSERT_TAIL(&b->waiting, one, link);
	pthread_cond_signal(&b->wake);
	writer_let_go(b->writer);
}

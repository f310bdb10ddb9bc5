/*
 * body_sync: each waiting batch has one commit.  Its body is written back in pieces, synced, read
 * for its checksums, named, and the directory is synced; then the commit joins the writer's batch.
 */
#include "spool/body_sync.h"

#include <errno.h>
#include <sched.h>

#include "base/block_sums.h"
#include "base/clock.h"
#include "base/crlf_check.h"
#include "base/mem.h"
#include "spool/spool_names.h"
#include "spool/spool_threads.h"
#include "spool/writer.h"
#include "spool/writer_queues.h"

enum { BODY_SYNC_PIECE_BYTES = 1 << 20 };

void
body_sync_init(struct body_sync *b, struct spool_writer *w)
{
	*b = (struct body_sync){.writer = w, .is_thread = w->is_thread};
	stall_init(&b->stall, spool_thread(SPOOL_THREAD_BODIES));
	pthread_cond_init(&b->wake, NULL);
	STAILQ_INIT(&b->waiting);
}

/* Reads the whole file, one block at a time, and fills in the checksums.  -1 with errno. */
static int
body_sync_check_bytes(struct body_sync *b, struct batch_commit *c, char *block, char *sums)
{
	struct crlf_check check = {.faults = 0};
	size_t got;

	for (uint64_t at = 0; at < c->body_bytes; at += got) {
		uint64_t left = c->body_bytes - at;
		struct iovec v = {
		    block, left < BLOCK_SUMS_BLOCK_BYTES ? left : BLOCK_SUMS_BLOCK_BYTES};

		stall_begin(&b->stall, "check the body", c->id);
		if (fsio_read_all(b->writer->io, c->fd, v, (off_t)at, &got) != 0)
			return -1;
		if (got != v.iov_len) {
			errno = EBADMSG;
			return -1;
		}
		block_sums_make(
		    str_make(block, got), sums + at / BLOCK_SUMS_BLOCK_BYTES * BLOCK_SUMS_BYTES);
		crlf_check_add(&check, str_make(block, got));
		sched_yield();
	}
	errno = EILSEQ;
	return crlf_check_end(&check) ? -1 : 0;
}

/* Puts the checksums of the body into the message's record. */
static int
body_sync_fill_sums(struct body_sync *b, struct batch *single)
{
	struct batch_commit *c = &single->commits[0];
	char *block = mem_new(BLOCK_SUMS_BLOCK_BYTES);
	off_t bytes;
	struct fsio *io = b->writer->io;
	int result = io->ops->size(io, c->fd, &bytes);

	if (result == 0 && (uint64_t)bytes != c->body_bytes) {
		errno = EBADMSG;
		result = -1;
	}
	if (result == 0)
		result = body_sync_check_bytes(b, c, block, single->bytes.p + c->sums_at);
	if (result == 0)
		batch_update_checksum(single, c);
	mem_free(block);
	return result;
}

/* In pieces: a sync of the whole body at once would stand in the disk's queue before the syncs of
 * small messages that arrive meanwhile. */
static int
body_sync_write_back(struct body_sync *b, const struct batch_commit *c)
{
	struct fsio *io = b->writer->io;

	for (uint64_t at = 0; at < c->body_bytes; at += BODY_SYNC_PIECE_BYTES) {
		stall_begin(&b->stall, "write the body", c->id);
		if (io->ops->write_back(io, c->fd, (off_t)at, BODY_SYNC_PIECE_BYTES) != 0)
			return -1;
		sched_yield();
	}
	return 0;
}

static int
body_sync_store(struct body_sync *b, struct batch *single)
{
	struct batch_commit *c = &single->commits[0];
	struct fsio *io = b->writer->io;
	char name[SPOOL_NAMES_BYTES];

	if (body_sync_write_back(b, c) != 0)
		return -1;
	stall_begin(&b->stall, "sync the body", c->id);
	if (io->ops->sync_data(io, c->fd) != 0 || body_sync_fill_sums(b, single) != 0)
		return -1;
	stall_begin(&b->stall, "name the body's file", c->id);
	if (io->ops->name(io, c->fd, spool_names_body(c->id, name)) != 0)
		return -1;
	c->is_named = true;
	return io->ops->sync_directory(io);
}

/* The client was answered with 451 already, or will be soon: a message that is stored now would be
 * sent a second time. */
static bool
body_sync_is_late(const struct batch_commit *c)
{
	return clock_mono_ms() >= c->start_by_ms;
}

/* EILSEQ: the body contains bytes that must not be sent as text. */
static void
body_sync_try(struct body_sync *b, struct batch *single)
{
	struct batch_commit *c = &single->commits[0];
	bool is_late = body_sync_is_late(c);

	if (!is_late && body_sync_store(b, single) != 0)
		batch_refuse(c, errno, errno == EILSEQ);
	else if (is_late || body_sync_is_late(c))
		batch_refuse(c, ETIMEDOUT, true);
}

/* A file whose name may not be durable is removed.  The commit goes on to the writer with its
 * error. */
static void
body_sync_make_durable(struct body_sync *b, struct batch *single)
{
	struct batch_commit *c = &single->commits[0];
	struct fsio *io = b->writer->io;
	char name[SPOOL_NAMES_BYTES];

	body_sync_try(b, single);
	if (c->error) {
		if (c->is_named && io->ops->unlink(io, spool_names_body(c->id, name)) != 0)
			writer_remove_body(b->writer, c->id);
		c->is_named = false;
	}
	stall_begin(&b->stall, "close the body's file", c->id);
	io->ops->close(io, c->fd);
	c->fd = -1;
	stall_end(&b->stall);
}

/* The caller holds the writer's lock; it is released meanwhile and held again on return. */
static void
body_sync_next(struct body_sync *b)
{
	struct batch *single = STAILQ_FIRST(&b->waiting);

	STAILQ_REMOVE_HEAD(&b->waiting, link);
	writer_unlock(b->writer);
	body_sync_make_durable(b, single);
	writer_lock(b->writer);
	batch_append(b->writer->filling, single);
	batch_free(&single);
}

static void
body_sync_all(struct body_sync *b)
{
	while (!STAILQ_EMPTY(&b->waiting)) {
		body_sync_next(b);
		/* this wakes the writer for each commit */
		writer_unlock(b->writer);
		writer_lock(b->writer);
	}
}

static void *
body_sync_thread_main(void *arg)
{
	struct body_sync *b = arg;

	pthread_setname_np(pthread_self(), spool_thread_name(SPOOL_THREAD_BODIES));
	writer_await_start(b->writer);
	writer_lock(b->writer);
	for (;;) {
		body_sync_all(b);
		if (b->is_stopping)
			break;
		pthread_cond_wait(&b->wake, &b->writer->lock);
	}
	writer_unlock(b->writer);
	return NULL;
}

int
body_sync_start(struct body_sync *b)
{
	int error = b->is_thread ? pthread_create(&b->thread, NULL, body_sync_thread_main, b) : 0;

	if (error) {
		b->is_thread = false;
		errno = error;
	}
	return error ? -1 : 0;
}

void
body_sync_step(struct body_sync *b)
{
	writer_lock(b->writer);
	body_sync_all(b);
	writer_unlock(b->writer);
}

void
body_sync_stop(struct body_sync *b)
{
	if (!b->is_thread) {
		body_sync_step(b);
		return;
	}
	writer_lock(b->writer);
	b->is_stopping = true;
	pthread_cond_signal(&b->wake);
	writer_unlock(b->writer);
	pthread_join(b->thread, NULL);
}

void
body_sync_clear(struct body_sync *b)
{
	pthread_cond_destroy(&b->wake);
	stall_clear(&b->stall);
}

void
body_sync_add(struct body_sync *b, struct batch *single)
{
	writer_lock(b->writer);
	STAILQ_INSERT_TAIL(&b->waiting, single, link);
	pthread_cond_signal(&b->wake);
	writer_unlock(b->writer);
}

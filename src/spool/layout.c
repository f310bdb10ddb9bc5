/*
 * layout: a run is a sequence of frames that are written and synced together.  A run that fails
 * ends the use of its segment; what was durable in it remains valid.
 */
#include "spool/layout.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/log.h"
#include "base/mem.h"
#include "spool/active_segment.h"
#include "spool/segment_pool.h"
#include "spool/writer_background.h"
#include "spool/writer_queues.h"

/* The body of a message without a record is removed.  As long as a start could find the record, the
 * body must stay, so that the start finds both. */
static void
layout_remove_body(struct spool_writer *w, struct batch_commit *c)
{
	bool may_stand = w->is_void_pending && c->offset;

	writer_background_add_body(may_stand ? &w->unvoided : &w->todo, c->id);
	c->is_named = false;
}

/* ---- time ---- */

/* The client was answered with 451 already, or will be soon: a message that is stored now would be
 * sent a second time. */
static bool
layout_is_late(const struct batch_commit *c, int64_t now_ms)
{
	return !c->error && c->deadline_ms && c->deadline_ms <= now_ms;
}

static void
layout_refuse_late(struct batch_commit *c, int64_t now_ms)
{
	if (!c->error && c->deadline_ms && c->start_by_ms <= now_ms)
		batch_refuse(c, ETIMEDOUT, true);
}

/* ---- runs ---- */

enum { LAYOUT_PIECES_MAX = 256 };

/* Commits that follow each other in the batch; those that were not refused before are written and
 * synced together. */
struct layout_run {
	struct batch *batch;
	size_t first;
	size_t count;
	int64_t now_ms;                  /* when the run began */
	uint32_t at;                     /* of its first frame in the segment */
	uint32_t end;
	struct iovec pieces[LAYOUT_PIECES_MAX + 2]; /* what is written: seal, frames, zeros */
	int piece_count;
};

static void
layout_add_piece(struct layout_run *r, const void *p, size_t n)
{
	struct iovec *last = r->piece_count ? &r->pieces[r->piece_count - 1] : NULL;

	if (last && (const char *)last->iov_base + last->iov_len == p)
		last->iov_len += n;
	else if (n)
		r->pieces[r->piece_count++] = (struct iovec){(void *)(uintptr_t)p, n};
}

static struct frame_header
layout_read_header(const struct batch *b, const struct batch_commit *c)
{
	struct frame_header f;

	if (!frame_header_read(str_make(b->bytes.p + c->at, FRAME_HEADER_BYTES), 0, &f))
		die("spool: a frame in memory is damaged");
	return f;
}

static void
layout_patch_header(
    struct spool_writer *w, struct batch *b, const struct batch_commit *c, uint32_t span)
{
	struct frame_header f = layout_read_header(b, c);

	f.tag = w->active->tag;
	f.sequence = ++w->sequence;
	f.durable = w->durable;
	f.span = span;
	w->newest_ms = f.newest_ms > w->newest_ms ? f.newest_ms : w->newest_ms;
	frame_header_write(&f, b->bytes.p + c->at);
}

static uint32_t
round_up_to_sector(uint32_t at)
{
	return (at + SEGMENT_SECTOR - 1) & ~(uint32_t)(SEGMENT_SECTOR - 1);
}

/* Takes as many whole frames as fit into the segment.  The next run begins at a new sector, so that
 * no later write touches durable bytes. */
static void
layout_frames(struct spool_writer *w, struct layout_run *r)
{
	struct batch *b = r->batch;
	struct batch_commit *last = NULL;
	size_t n = r->first;
	uint32_t at = r->at;

	for (; n < b->count && r->piece_count <= LAYOUT_PIECES_MAX; n++) {
		struct batch_commit *c = &b->commits[n];

		layout_refuse_late(c, r->now_ms);
		if (c->error)
			continue;
		/* the first commit was given its room; the event loop may reserve some of it
		 * meanwhile */
		if (last && !active_segment_fits(w, c, at))
			break;
		if (last)
			layout_patch_header(w, b, last, last->span);
		c->offset = at;
		at += c->span;
		layout_add_piece(r, b->bytes.p + c->at, c->span);
		last = c;
	}
	r->count = n - r->first;
	r->end = round_up_to_sector(at);
	if (last)
		layout_patch_header(w, b, last, r->end - last->offset);
	r->at = at;
}

static void
layout_build_seal(struct spool_writer *w, char bytes[ACTIVE_SEGMENT_SEAL_BYTES], uint32_t span)
{
	struct buf out = {
	    .p = bytes, .cap = ACTIVE_SEGMENT_SEAL_BYTES, .max = ACTIVE_SEGMENT_SEAL_BYTES};
	struct frame_header f = {.tag = w->active->tag,
	    .sequence = ++w->sequence,
	    .durable = w->durable,
	    .newest_ms = w->newest_ms,
	    .span = span,
	    .entries = 1};

	out.n = FRAME_HEADER_BYTES;
	frame_put_seal(&out, &w->seal);
	f.payload_bytes = (uint32_t)(out.n - FRAME_HEADER_BYTES);
	f.payload_crc = crc32c(0, bytes + FRAME_HEADER_BYTES, f.payload_bytes);
	frame_header_write(&f, bytes);
}

static int
layout_sync_run(struct spool_writer *w, struct batch *b)
{
	int64_t before = clock_mono_ms();
	int result = w->io->ops->sync_data(w->io, w->active->fd);

	b->syncs++;
	b->sync_ms += clock_mono_ms() - before;
	return result;
}

/* One write and one sync: the seal if the segment is new, the frames, zeros up to the next
 * sector. */
static int
layout_write_run(struct spool_writer *w, struct layout_run *r)
{
	static const char zeros[SEGMENT_SECTOR];
	char seal[ACTIVE_SEGMENT_SEAL_BYTES] = {0};
	bool is_alone = r->first == r->batch->count;

	r->at = w->at;
	if (w->is_active_new) {
		layout_build_seal(w, seal, is_alone ? SEGMENT_SECTOR : ACTIVE_SEGMENT_SEAL_BYTES);
		layout_add_piece(r, seal, ACTIVE_SEGMENT_SEAL_BYTES);
		r->at += ACTIVE_SEGMENT_SEAL_BYTES;
	}
	r->end = round_up_to_sector(r->at);
	if (!is_alone)
		layout_frames(w, r);
	layout_add_piece(r, zeros, r->end - r->at);
	if (fsio_write_all(w->io, w->active->fd, r->pieces, r->piece_count, w->at) != 0)
		return -1;
	return layout_sync_run(w, r->batch);
}

/* Overwrites the header of the frame with that of a frame without entries, which makes the commit
 * void.  The header lies within one sector, so that a torn write leaves either the old or the new
 * one. */
static int
layout_void_frame(struct spool_writer *w, const struct layout_run *r, const struct batch_commit *c)
{
	const char *bytes = r->batch->bytes.p + c->at;
	char header[FRAME_HEADER_BYTES];
	struct iovec v = {header, sizeof header};
	struct frame_header f;

	if (!frame_header_read(str_make(bytes, sizeof header), w->active->tag, &f))
		die("spool: a frame in memory is damaged");
	f.payload_bytes = f.entries = 0;
	f.payload_crc = crc32c(0, bytes, 0);
	frame_header_write(&f, header);
	return fsio_write_all(w->io, w->active->fd, &v, 1, c->offset);
}

static bool
layout_run_has_late(const struct layout_run *r)
{
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < r->count; i++)
		if (layout_is_late(&r->batch->commits[r->first + i], now_ms))
			return true;
	return false;
}

/* Commits that became durable too late are made void in place, before any result of the run is
 * reported.  So are those with little time left: each further round follows a sync that took longer
 * than that time. */
static int
layout_void_late(struct spool_writer *w, struct layout_run *r)
{
	while (layout_run_has_late(r)) {
		int64_t now_ms = clock_mono_ms();

		for (size_t i = 0; i < r->count; i++) {
			struct batch_commit *c = &r->batch->commits[r->first + i];

			if (c->error)
				continue;
			layout_refuse_late(c, now_ms);
			if (c->error && layout_void_frame(w, r, c) != 0)
				return -1;
		}
		if (layout_sync_run(w, r->batch) != 0)
			return -1;
	}
	return 0;
}

static void
layout_append_opened(struct batch *b, struct segment *s)
{
	struct segment **at = &b->opened;

	while (*at)
		at = &(*at)->next;
	s->next = NULL;
	*at = s;
}

static void
layout_run_stored(struct spool_writer *w, struct layout_run *r)
{
	for (size_t i = 0; i < r->count; i++)
		r->batch->commits[r->first + i].segment = w->active;
	if (w->is_active_new) {
		layout_append_opened(r->batch, w->active);
		w->pool.newest = w->active;
		/* its seal has made void what failed before */
		w->is_void_pending = false;
		STAILQ_CONCAT(&w->todo, &w->unvoided);
	}
	w->is_active_new = false;
	disk_retry_end(&w->write_retry, "frames are written");
	w->durable = w->sequence;
	w->at = r->end;
}

/* The first failure of a write is attributed to its segment; a failure in the new segment right
 * after it, to the disk. */
static void
layout_log_failed(struct spool_writer *w, int error)
{
	struct disk_retry *t = &w->write_retry;
	char what[80];

	errno = error;
	snprintf(what, sizeof what, "segment %u left at offset %u", w->active->slot, w->at);
	disk_retry_log(t, what);
	if (t->failures++ > 0 && w->is_active_new)
		segment_pool_pause(&w->pool);
}

static void
layout_abandon_segment(struct spool_writer *w)
{
	w->is_void_pending = true;
	if (!w->is_active_new) {
		active_segment_close(w);
		return;
	}
	/* the previous segment stays the newest; this one holds nothing valid and must not be read
	 * again */
	newest_segment_set(&w->newest_segment, w->pool.newest);
	segment_pool_return(&w->pool, w->active);
	w->active = NULL;
}

static int
layout_store_run(struct spool_writer *w, struct layout_run *r)
{
	int error = 0;

	if (layout_write_run(w, r) != 0)
		error = errno ? errno : EIO;
	/* durable before any commit is answered: only this file shows a later start that the
	 * segment is missing */
	else if (w->is_active_new)
		newest_segment_set(&w->newest_segment, w->active);
	if (!error && layout_void_late(w, r) != 0)
		error = errno ? errno : EIO;
	if (!error) {
		layout_run_stored(w, r);
		return 0;
	}
	for (size_t i = 0; i < r->count; i++) {
		struct batch_commit *c = &r->batch->commits[r->first + i];

		/* a commit that was late keeps that error, and the disk failed nevertheless */
		batch_refuse(c, c->error ? c->error : error, false);
	}
	layout_log_failed(w, error);
	layout_abandon_segment(w);
	errno = error;
	return -1;
}

int
layout_write_seal(struct spool_writer *w, struct batch *b)
{
	struct layout_run r = {.batch = b, .first = b->count};

	return layout_store_run(w, &r);
}

/* The failed run is made void on the disk before its results are reported, so that a crash cannot
 * bring back what was refused.  If the disk refuses this write too, that remains possible. */
static void
layout_make_void(struct spool_writer *w, struct batch *b)
{
	if (!w->active && w->pool.returned)
		segment_pool_work(&w->pool);
	if (active_segment_open(w) == 0 && w->is_active_new)
		(void)!layout_write_seal(w, b);
}

void
layout_void_failed(struct spool_writer *w)
{
	struct batch *b;

	if (!w->is_void_pending || (!w->active && !w->pool.ready))
		return;
	b = batch_new();
	layout_make_void(w, b);
	writer_add_done(w, b);
}

/* Stores the first run; returns how many commits, from the first of the batch on, have their
 * result. */
static size_t
layout_store_first_run(struct spool_writer *w, struct batch *b)
{
	struct layout_run r = {.batch = b, .now_ms = clock_mono_ms()};

	for (; r.first < b->count; r.first++) {
		struct batch_commit *c = &b->commits[r.first];

		layout_refuse_late(c, r.now_ms);
		/* there is no room for its kind, or the disk accepts no new segment */
		if (!c->error && active_segment_make_room(w, c) != 0)
			batch_refuse(c, errno, fsio_is_full(errno));
		if (!c->error)
			break;
	}
	if (r.first < b->count && layout_store_run(w, &r) != 0)
		layout_make_void(w, b);
	return r.first + r.count;
}

static size_t
layout_count_late(const struct batch *b)
{
	size_t count = 0;

	for (size_t i = 0; i < b->count; i++)
		count += b->commits[i].deadline_ms && b->commits[i].error == ETIMEDOUT;
	return count;
}

static void
layout_remove_bodies(struct spool_writer *w, struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->commits[i].error && b->commits[i].is_named)
			layout_remove_body(w, &b->commits[i]);
}

void
layout_write_batch(struct spool_writer *w, struct batch *b)
{
	size_t late_count = 0;

	for (struct batch *done = NULL; done != b;) {
		size_t stored = layout_store_first_run(w, b);

		done = stored < b->count ? batch_take_first(b, stored) : b;
		late_count += layout_count_late(done);
		layout_remove_bodies(w, done);
		writer_add_done(w, done);
	}
	if (late_count)
		log_warn("spool: the disk is too slow: %zu messages were not durable in time and "
			 "their clients are answered with 451 and try again; look at the health of "
			 "the disk, and at what else uses it", late_count);
}
